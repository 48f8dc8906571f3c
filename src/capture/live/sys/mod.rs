//! The only unsafe code of the program: a memory-mapped ring of the kernel, and libpcap called at run time. Both give
//! out plain byte slices; what the bytes mean is read elsewhere, in safe code.
#![allow(unsafe_code)]

pub(super) mod pcap;
pub(super) mod ring;
