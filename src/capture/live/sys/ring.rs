//! A packet socket whose packets the kernel writes into memory shared with us (TPACKET_V3, packet(7) and the kernel's
//! `Documentation/networking/packet_mmap.rst`).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Bytes of a block: it holds any packet (64 KiB with offloads) and many of the usual ones.
const BLOCK: usize = 1 << 20;

/// Milliseconds after which the kernel hands over a block that is not full.
const RETIRE_MS: u32 = 20;

/// Offset of `block_status` in a block's header (`struct tpacket_block_desc`).
const STATUS: usize = 8;

/// A ring of blocks; we own one at a time, in order.
#[derive(Debug)]
pub(in super::super) struct Ring {
    fd: OwnedFd,
    map: NonNull<u8>,
    blocks: usize,
    current: usize,
}

// SAFETY: the mapping belongs to the ring alone and is freed with it; nothing in it is bound to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Opens a packet socket on an interface (index 0: all) with a ring of about `bytes`. With `cooked` the packets begin at
    /// their network header. Packets arrive from the moment this returns.
    pub(in super::super) fn open(index: u32, cooked: bool, bytes: usize, promiscuous: bool) -> io::Result<Self> {
        let kind = if cooked { SockType::Datagram } else { SockType::Raw };
        // No protocol yet, so that nothing is received before the socket is bound.
        let fd = socket(AddressFamily::Packet, kind, SockFlag::SOCK_CLOEXEC, None)?;
        set(&fd, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as c_int))?;
        let blocks = (bytes / BLOCK).max(2);
        let block = u32::try_from(BLOCK).unwrap_or(u32::MAX);
        let number = u32::try_from(blocks).map_err(|_| io::ErrorKind::InvalidInput)?;
        let request = libc::tpacket_req3 {
            tp_block_size: block,
            tp_block_nr: number,
            tp_frame_size: block,
            tp_frame_nr: number,
            tp_retire_blk_tov: RETIRE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set(&fd, libc::PACKET_RX_RING, &request)?;
        let length = blocks.saturating_mul(BLOCK);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice, of exactly the ring that was just set up.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let map = NonNull::new(map.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let ring = Self { fd, map, blocks, current: 0 };
        let index = c_int::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
        if promiscuous {
            let kind = libc::PACKET_MR_PROMISC as u16;
            let asked = libc::packet_mreq { mr_ifindex: index, mr_type: kind, mr_alen: 0, mr_address: [0; 8] };
            set(&ring.fd, libc::PACKET_ADD_MEMBERSHIP, &asked)?;
        }
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: index,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address is a whole `sockaddr_ll` that lives through the call, and `size` is its size.
        check(unsafe { libc::bind(ring.fd.as_raw_fd(), (&raw const address).cast(), size) })?;
        Ok(ring)
    }

    fn status(&self) -> &AtomicU32 {
        let offset = self.current.saturating_mul(BLOCK).saturating_add(STATUS);
        // SAFETY: `current < blocks`, so the word lies in the mapping, aligned; kernel and program both access it atomically.
        unsafe { AtomicU32::from_ptr(self.map.add(offset).cast().as_ptr()) }
    }

    /// The present block, when the kernel has handed it over.
    pub(in super::super) fn block(&self) -> Option<&[u8]> {
        if self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        let offset = self.current.saturating_mul(BLOCK);
        // SAFETY: `current < blocks`; while the status says "user" the kernel does not write to the block, and the borrow ends
        // before `release`, which needs `&mut self`.
        Some(unsafe { std::slice::from_raw_parts(self.map.add(offset).as_ptr(), BLOCK) })
    }

    /// Gives the present block back; the next one becomes the present one.
    pub(in super::super) fn release(&mut self) {
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        let next = self.current.saturating_add(1);
        self.current = if next < self.blocks { next } else { 0 };
    }

    /// Packets that the kernel dropped since the last call, because the ring was full.
    pub(in super::super) fn dropped(&self) -> io::Result<u64> {
        let mut stats = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let mut size = size_of::<libc::tpacket_stats_v3>() as libc::socklen_t;
        let (fd, to) = (self.fd.as_raw_fd(), (&raw mut stats).cast());
        // SAFETY: `to` is writable for `size` bytes through the call.
        check(unsafe { libc::getsockopt(fd, libc::SOL_PACKET, libc::PACKET_STATISTICS, to, &raw mut size) })?;
        Ok(u64::from(stats.tp_drops))
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `open`, which nothing borrows any more.
        let _ = unsafe { libc::munmap(self.map.as_ptr().cast(), self.blocks.saturating_mul(BLOCK)) };
    }
}

/// Sets an option of the packet level.
fn set<T>(fd: &OwnedFd, option: c_int, value: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is readable for `size` bytes through the call; the callers pass what the option takes.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_PACKET, option, (&raw const *value).cast(), size) })
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
