"""The lab that makes the captures of testdata/: a throw-away PKI, a relay that writes what passes, and the cases."""
