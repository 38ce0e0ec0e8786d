"""RFID: live LLRP readers, recorded streams, and what an EPC says."""
