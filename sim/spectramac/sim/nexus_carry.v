// SPDX-FileCopyrightText: 2026 The spectramac authors
// SPDX-License-Identifier: BSD-2-Clause
//
// For Yosys's techmap: the first CCU2 of a carry chain, recognised by its contents, has no carry input. abc9 connects it to
// 0 (Yosys issue 4081), which nextpnr-nexus refuses. The carry output is A1, whatever the input.

(* techmap_celltype = "CCU2" *)
module first_of_carry_chain #(
  parameter INJECT = "YES", parameter INIT0 = "0x0000", parameter INIT1 = "0x0000"
) (
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
  output S0, S1, COUT
);
  wire _TECHMAP_FAIL_ = INIT0 != "0xFFFF" || INIT1 != "0x00AA" || INJECT != "NO";
  CCU2 #(.INJECT(INJECT), .INIT0(INIT0), .INIT1(INIT1)) _TECHMAP_REPLACE_ (
    .A0(A0), .B0(B0), .C0(C0), .D0(D0), .A1(A1), .B1(B1), .C1(C1), .D1(D1),
    .S0(S0), .S1(S1), .COUT(COUT)
  );
endmodule
