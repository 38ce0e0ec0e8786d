"""Where readings come from: cameras, Wi-Fi probe captures and RFID readers, live and recorded."""
