//! The relay between two programs, which writes down what passes as a capture.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::PATIENCE;
use crate::wire::Seg;

/// Writes what passes as a capture file with TCP connections between documentation addresses.
pub(super) struct Record {
    pcap: Vec<u8>,
    frames: u16,
    connections: Vec<[u32; 2]>,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

impl Record {
    pub(super) fn new() -> Self {
        // pcap with nanoseconds, version 2.4, Ethernet (draft-ietf-opsawg-pcap, section 4).
        let mut pcap = 0xa1b2_3c4d_u32.to_le_bytes().to_vec();
        pcap.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
        Self { pcap, frames: 0, connections: Vec::new() }
    }

    pub(super) fn open(&mut self) -> usize {
        let n = self.connections.len();
        self.connections.push([1000, 2000]);
        self.segment(n, true, SYN, &[]);
        self.segment(n, false, SYN | ACK, &[]);
        self.segment(n, true, ACK, &[]);
        n
    }

    pub(super) fn data(&mut self, n: usize, from_client: bool, bytes: &[u8]) {
        for part in bytes.chunks(1400) {
            self.segment(n, from_client, ACK, part);
        }
        self.segment(n, !from_client, ACK, &[]);
    }

    pub(super) fn segment(&mut self, n: usize, from_client: bool, flags: u8, payload: &[u8]) {
        let seqs = &mut self.connections[n];
        let own = usize::from(!from_client);
        let ack = if flags & ACK == 0 { 0 } else { seqs[1 - own] };
        let seg = Seg { from_client, seq: seqs[own], ack, flags, payload: payload.to_vec() };
        seqs[own] = seqs[own].wrapping_add(payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
        self.frames += 1;
        let mut frame = seg.frame(self.frames);
        let port = 40_000 + u16::try_from(n).unwrap();
        let at = if from_client { 34 } else { 36 }; // the client's port in the TCP header
        frame[at..at + 2].copy_from_slice(&port.to_be_bytes());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let length = frame.len() as u32;
        for word in [now.as_secs() as u32, now.subsec_nanos(), length, length] {
            self.pcap.extend(word.to_le_bytes());
        }
        self.pcap.extend(frame);
    }
}

/// Stands between client and server.
pub(super) struct Relay {
    pub(super) port: u16,
    record: Arc<Mutex<Record>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

impl Relay {
    pub(super) fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let record = Arc::new(Mutex::new(Record::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (Arc::clone(&record), Arc::clone(&stop));
        let accepting = std::thread::spawn(move || {
            let mut threads = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => {
                        client.set_nonblocking(false).unwrap();
                        let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                        let n = shared.lock().unwrap().open();
                        for (from_client, from, to) in [(true, &client, &server), (false, &server, &client)] {
                            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                            let record = Arc::clone(&shared);
                            threads.push(std::thread::spawn(move || pass(n, from_client, from, to, &record)));
                        }
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
                    Err(e) => panic!("{e}"),
                }
            }
            threads
        });
        Self { port, record, stop, accepting: Some(accepting) }
    }

    /// Waits until all connections are closed; gives the capture.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.accepting.take().unwrap().join().unwrap() {
            thread.join().unwrap();
        }
        std::mem::take(&mut self.record.lock().unwrap().pcap)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Passes one direction on; each piece is written down before it is passed, so that the order is the true one.
pub(super) fn pass(n: usize, from_client: bool, mut from: TcpStream, mut to: TcpStream, record: &Mutex<Record>) {
    from.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                record.lock().unwrap().segment(n, from_client, FIN | ACK, &[]);
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(len) => {
                record.lock().unwrap().data(n, from_client, &buffer[..len]);
                if to.write_all(&buffer[..len]).is_err() {
                    return;
                }
            }
            Err(e) => {
                if e.kind() == ErrorKind::ConnectionReset {
                    record.lock().unwrap().segment(n, from_client, RST | ACK, &[]);
                }
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}
