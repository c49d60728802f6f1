// SPDX-FileCopyrightText: 2026 The spectramac authors
// SPDX-License-Identifier: BSD-2-Clause
//
// Behaviour of the two Gowin primitives that spectramac instantiates, written from Gowin's UG285 (memory) and UG287 (DSP)
// and restricted to how they are used: Yosys ships them without behaviour. Port A writes, port B reads, with its output
// register (READ_MODE 1) or without; the multiplier has the registers that its parameters say.

module SDPX9B #(
  parameter READ_MODE = 1'b0, parameter BIT_WIDTH_0 = 36, parameter BIT_WIDTH_1 = 36,
  parameter BLK_SEL_0 = 3'b000, parameter BLK_SEL_1 = 3'b000, parameter RESET_MODE = "SYNC",
  parameter [287:0] INIT_RAM_00 = 288'h0, parameter [287:0] INIT_RAM_01 = 288'h0,
  parameter [287:0] INIT_RAM_02 = 288'h0, parameter [287:0] INIT_RAM_03 = 288'h0,
  parameter [287:0] INIT_RAM_04 = 288'h0, parameter [287:0] INIT_RAM_05 = 288'h0,
  parameter [287:0] INIT_RAM_06 = 288'h0, parameter [287:0] INIT_RAM_07 = 288'h0,
  parameter [287:0] INIT_RAM_08 = 288'h0, parameter [287:0] INIT_RAM_09 = 288'h0,
  parameter [287:0] INIT_RAM_0A = 288'h0, parameter [287:0] INIT_RAM_0B = 288'h0,
  parameter [287:0] INIT_RAM_0C = 288'h0, parameter [287:0] INIT_RAM_0D = 288'h0,
  parameter [287:0] INIT_RAM_0E = 288'h0, parameter [287:0] INIT_RAM_0F = 288'h0,
  parameter [287:0] INIT_RAM_10 = 288'h0, parameter [287:0] INIT_RAM_11 = 288'h0,
  parameter [287:0] INIT_RAM_12 = 288'h0, parameter [287:0] INIT_RAM_13 = 288'h0,
  parameter [287:0] INIT_RAM_14 = 288'h0, parameter [287:0] INIT_RAM_15 = 288'h0,
  parameter [287:0] INIT_RAM_16 = 288'h0, parameter [287:0] INIT_RAM_17 = 288'h0,
  parameter [287:0] INIT_RAM_18 = 288'h0, parameter [287:0] INIT_RAM_19 = 288'h0,
  parameter [287:0] INIT_RAM_1A = 288'h0, parameter [287:0] INIT_RAM_1B = 288'h0,
  parameter [287:0] INIT_RAM_1C = 288'h0, parameter [287:0] INIT_RAM_1D = 288'h0,
  parameter [287:0] INIT_RAM_1E = 288'h0, parameter [287:0] INIT_RAM_1F = 288'h0,
  parameter [287:0] INIT_RAM_20 = 288'h0, parameter [287:0] INIT_RAM_21 = 288'h0,
  parameter [287:0] INIT_RAM_22 = 288'h0, parameter [287:0] INIT_RAM_23 = 288'h0,
  parameter [287:0] INIT_RAM_24 = 288'h0, parameter [287:0] INIT_RAM_25 = 288'h0,
  parameter [287:0] INIT_RAM_26 = 288'h0, parameter [287:0] INIT_RAM_27 = 288'h0,
  parameter [287:0] INIT_RAM_28 = 288'h0, parameter [287:0] INIT_RAM_29 = 288'h0,
  parameter [287:0] INIT_RAM_2A = 288'h0, parameter [287:0] INIT_RAM_2B = 288'h0,
  parameter [287:0] INIT_RAM_2C = 288'h0, parameter [287:0] INIT_RAM_2D = 288'h0,
  parameter [287:0] INIT_RAM_2E = 288'h0, parameter [287:0] INIT_RAM_2F = 288'h0,
  parameter [287:0] INIT_RAM_30 = 288'h0, parameter [287:0] INIT_RAM_31 = 288'h0,
  parameter [287:0] INIT_RAM_32 = 288'h0, parameter [287:0] INIT_RAM_33 = 288'h0,
  parameter [287:0] INIT_RAM_34 = 288'h0, parameter [287:0] INIT_RAM_35 = 288'h0,
  parameter [287:0] INIT_RAM_36 = 288'h0, parameter [287:0] INIT_RAM_37 = 288'h0,
  parameter [287:0] INIT_RAM_38 = 288'h0, parameter [287:0] INIT_RAM_39 = 288'h0,
  parameter [287:0] INIT_RAM_3A = 288'h0, parameter [287:0] INIT_RAM_3B = 288'h0,
  parameter [287:0] INIT_RAM_3C = 288'h0, parameter [287:0] INIT_RAM_3D = 288'h0,
  parameter [287:0] INIT_RAM_3E = 288'h0, parameter [287:0] INIT_RAM_3F = 288'h0
) (
  input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
  input [13:0] ADA, ADB,
  input [2:0] BLKSELA, BLKSELB,
  input [35:0] DI,
  output [35:0] DO
);
  // 2048 bytes of 9 bits, 32 of them in an INIT_RAM.
  reg [8:0] bytes [0:2047];
  wire [64*288-1:0] contents = {
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
  };
  integer i, k;
  initial for (i = 0; i < 2048; i = i + 1) bytes[i] = contents[i * 9 +: 9];
  reg [35:0] array, out;

  always @(posedge CLKA) if (CEA && BLKSELA == BLK_SEL_0) case (BIT_WIDTH_0)
    36: for (k = 0; k < 4; k = k + 1) if (ADA[k]) bytes[{ADA[13:5], k[1:0]}] <= DI[9 * k +: 9];
    18: for (k = 0; k < 2; k = k + 1) if (ADA[k]) bytes[{ADA[13:4], k[0]}] <= DI[9 * k +: 9];
    default: bytes[ADA[13:3]] <= DI[8:0];
  endcase

  always @(posedge CLKB) begin
    if (CEB && BLKSELB == BLK_SEL_1) case (BIT_WIDTH_1)
      36: for (k = 0; k < 4; k = k + 1) array[9 * k +: 9] <= bytes[{ADB[13:5], k[1:0]}];
      18: array <= {18'b0, bytes[{ADB[13:4], 1'b1}], bytes[{ADB[13:4], 1'b0}]};
      default: array <= {27'b0, bytes[ADB[13:3]]};
    endcase
    if (OCE) out <= array;
    if (RESETB) begin
      array <= 36'b0;
      out <= 36'b0;
    end
  end
  assign DO = READ_MODE ? out : array;
endmodule

module MULT18X18 #(
  parameter AREG = 1'b0, parameter BREG = 1'b0, parameter OUT_REG = 1'b0, parameter PIPE_REG = 1'b0,
  parameter ASIGN_REG = 1'b0, parameter BSIGN_REG = 1'b0, parameter SOA_REG = 1'b0,
  parameter MULT_RESET_MODE = "SYNC"
) (
  input [17:0] A, SIA, B, SIB,
  input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
  output [35:0] DOUT,
  output [17:0] SOA, SOB
);
  reg [17:0] a_reg, b_reg;
  reg [35:0] pipe_reg, out_reg;
  wire [17:0] a = AREG ? a_reg : A, b = BREG ? b_reg : B;
  wire [35:0] product = {{18{ASIGN & a[17]}}, a} * {{18{BSIGN & b[17]}}, b};
  wire [35:0] pipe = PIPE_REG ? pipe_reg : product;
  always @(posedge CLK) begin
    if (CE) begin
      a_reg <= A;
      b_reg <= B;
      pipe_reg <= product;
      out_reg <= pipe;
    end
    if (RESET) begin
      a_reg <= 18'b0;
      b_reg <= 18'b0;
      pipe_reg <= 36'b0;
      out_reg <= 36'b0;
    end
  end
  assign DOUT = OUT_REG ? out_reg : pipe;
  // The shift chains (SIA, SIB, SOA, SOB, ASEL, BSEL) are not used.
  assign SOA = 18'b0;
  assign SOB = 18'b0;
endmodule
