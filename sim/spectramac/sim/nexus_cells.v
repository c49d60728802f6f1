// SPDX-FileCopyrightText: 2026 The spectramac authors
// SPDX-License-Identifier: BSD-2-Clause
//
// Behaviour of the Nexus block RAM that spectramac instantiates, written from Lattice's FPGA-TN-02094 and restricted to how
// it is used: Yosys ships it without behaviour (and MULTADDSUB18X18 with). One clock, one port writes, one reads, with its
// output register (OUTREG USED) or without.

module PDPSC16K #(
  parameter DATA_WIDTH_W = "X36", parameter DATA_WIDTH_R = "X36", parameter OUTREG = "BYPASSED",
  parameter RESETMODE = "SYNC", parameter GSR = "ENABLED", parameter ECC = "DISABLED",
  parameter CSDECODE_W = "000", parameter CSDECODE_R = "000", parameter ASYNC_RST_RELEASE = "SYNC",
  parameter INIT_DATA = "STATIC",
  parameter [8*82-1:0] INITVAL_00 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_01 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_02 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_03 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_04 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_05 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_06 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_07 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_08 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_09 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_0A = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_0B = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_0C = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_0D = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_0E = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_0F = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_10 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_11 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_12 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_13 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_14 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_15 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_16 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_17 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_18 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_19 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_1A = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_1B = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_1C = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_1D = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_1E = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_1F = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_20 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_21 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_22 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_23 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_24 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_25 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_26 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_27 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_28 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_29 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_2A = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_2B = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_2C = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_2D = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_2E = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_2F = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_30 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_31 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_32 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_33 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_34 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_35 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_36 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_37 = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_38 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_39 = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_3A = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_3B = {"0x", {80{"0"}}},
  parameter [8*82-1:0] INITVAL_3C = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_3D = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_3E = {"0x", {80{"0"}}}, parameter [8*82-1:0] INITVAL_3F = {"0x", {80{"0"}}}
) (
  input [35:0] DI,
  input [13:0] ADW, ADR,
  input CLK, CER, CEW, RST,
  input [2:0] CSW, CSR,
  output [35:0] DO,
  output ONEBITERR, TWOBITERR
);
  // 2048 bytes of 9 bits; 32 of them, each padded to 10 bits, make one INITVAL of 80 hexadecimal digits.
  reg [8:0] bytes [0:2047];
  function [3:0] digit(input [7:0] character);
    digit = character[6] ? character[3:0] + 4'd9 : character[3:0];
  endfunction
  task load(input integer row, input [8*82-1:0] text);
    reg [319:0] bits;
    begin
      for (j = 0; j < 80; j = j + 1) bits[4 * j +: 4] = digit(text[8 * j +: 8]);
      for (j = 0; j < 32; j = j + 1) bytes[32 * row + j] = bits[10 * j +: 9];
    end
  endtask
  integer j, k;
  initial begin
    load(0, INITVAL_00); load(1, INITVAL_01); load(2, INITVAL_02); load(3, INITVAL_03);
    load(4, INITVAL_04); load(5, INITVAL_05); load(6, INITVAL_06); load(7, INITVAL_07);
    load(8, INITVAL_08); load(9, INITVAL_09); load(10, INITVAL_0A); load(11, INITVAL_0B);
    load(12, INITVAL_0C); load(13, INITVAL_0D); load(14, INITVAL_0E); load(15, INITVAL_0F);
    load(16, INITVAL_10); load(17, INITVAL_11); load(18, INITVAL_12); load(19, INITVAL_13);
    load(20, INITVAL_14); load(21, INITVAL_15); load(22, INITVAL_16); load(23, INITVAL_17);
    load(24, INITVAL_18); load(25, INITVAL_19); load(26, INITVAL_1A); load(27, INITVAL_1B);
    load(28, INITVAL_1C); load(29, INITVAL_1D); load(30, INITVAL_1E); load(31, INITVAL_1F);
    load(32, INITVAL_20); load(33, INITVAL_21); load(34, INITVAL_22); load(35, INITVAL_23);
    load(36, INITVAL_24); load(37, INITVAL_25); load(38, INITVAL_26); load(39, INITVAL_27);
    load(40, INITVAL_28); load(41, INITVAL_29); load(42, INITVAL_2A); load(43, INITVAL_2B);
    load(44, INITVAL_2C); load(45, INITVAL_2D); load(46, INITVAL_2E); load(47, INITVAL_2F);
    load(48, INITVAL_30); load(49, INITVAL_31); load(50, INITVAL_32); load(51, INITVAL_33);
    load(52, INITVAL_34); load(53, INITVAL_35); load(54, INITVAL_36); load(55, INITVAL_37);
    load(56, INITVAL_38); load(57, INITVAL_39); load(58, INITVAL_3A); load(59, INITVAL_3B);
    load(60, INITVAL_3C); load(61, INITVAL_3D); load(62, INITVAL_3E); load(63, INITVAL_3F);
  end
  reg [35:0] array, out;

  always @(posedge CLK) begin
    if (CEW && &CSW) case (DATA_WIDTH_W)
      "X36": for (k = 0; k < 4; k = k + 1) if (ADW[k]) bytes[{ADW[13:5], k[1:0]}] <= DI[9 * k +: 9];
      "X18": for (k = 0; k < 2; k = k + 1) if (ADW[k]) bytes[{ADW[13:4], k[0]}] <= DI[9 * k +: 9];
      default: bytes[ADW[13:3]] <= DI[8:0];
    endcase
    if (CER) begin
      if (&CSR) case (DATA_WIDTH_R)
        "X36": for (k = 0; k < 4; k = k + 1) array[9 * k +: 9] <= bytes[{ADR[13:5], k[1:0]}];
        "X18": array <= {18'b0, bytes[{ADR[13:4], 1'b1}], bytes[{ADR[13:4], 1'b0}]};
        default: array <= {27'b0, bytes[ADR[13:3]]};
      endcase
      out <= array;
    end
    if (RST) begin
      array <= 36'b0;
      out <= 36'b0;
    end
  end
  assign DO = OUTREG == "USED" ? out : array;
  assign ONEBITERR = 1'b0;
  assign TWOBITERR = 1'b0;
endmodule
