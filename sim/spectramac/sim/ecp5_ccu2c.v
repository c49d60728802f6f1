// SPDX-FileCopyrightText: 2026 The spectramac authors
// SPDX-License-Identifier: BSD-2-Clause
//
// Behaviour of the ECP5's carry cell as spectramac instantiates it (INJECT1_* "NO"): two halves, each with a table of
// four inputs. The table is the operand's sum bit; where it is 1 the carry passes, where it is 0 the carry is what the
// table gives for C = D = 0. Mapped netlists use the model that ships with Yosys instead.

module CCU2C #(
  parameter [15:0] INIT0 = 16'h0000, parameter [15:0] INIT1 = 16'h0000,
  parameter INJECT1_0 = "NO", parameter INJECT1_1 = "NO"
) (
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
  output S0, S1, COUT
);
  wire table0 = INIT0[{D0, C0, B0, A0}], table1 = INIT1[{D1, C1, B1, A1}];
  wire between = table0 ? CIN : INIT0[{2'b00, B0, A0}];
  assign S0 = table0 ^ CIN;
  assign S1 = table1 ^ between;
  assign COUT = table1 ? between : INIT1[{2'b00, B1, A1}];
endmodule
