//! libpcap, loaded when it is wanted: nothing of it is needed to build or to start the program.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::{self, NonNull};

use libloading::Library;

/// Names under which it is installed.
const NAMES: &[&str] = &["libpcap.so.0.8", "libpcap.so.1", "libpcap.so"];

/// `PCAP_ERRBUF_SIZE`.
const ERROR_BYTES: usize = 256;

/// `PCAP_TSTAMP_PRECISION_NANO`.
const NANO: c_int = 1;

/// `PCAP_NETMASK_UNKNOWN`.
const NO_MASK: c_uint = 0xffff_ffff;

/// Milliseconds after which libpcap hands on what has come.
const TIMEOUT_MS: c_int = 20;

/// `pcap_t`, which only libpcap looks into.
type Handle = NonNull<c_void>;

#[repr(C)]
struct Program {
    length: c_uint,
    instructions: *mut c_void,
}

#[repr(C)]
struct Header {
    time: libc::timeval,
    captured: u32,
    original: u32,
}

#[repr(C)]
#[derive(Default)]
struct Stats {
    received: c_uint,
    dropped: c_uint,
    interface_dropped: c_uint,
}

/// Declares the functions that are used, and a loader for all of them.
macro_rules! functions {
    ($($name:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        struct Functions { $($name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)* _library: Library }
        impl Functions {
            fn load(library: Library) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those of <pcap/pcap.h>, stable since libpcap 1.5; the pointers live as long as the
                // library, which stands beside them.
                unsafe { Ok(Self { $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)* _library: library }) }
            }
        }
    };
}

functions! {
    pcap_create: fn(*const c_char, *mut c_char) -> *mut c_void;
    pcap_set_snaplen: fn(*mut c_void, c_int) -> c_int;
    pcap_set_promisc: fn(*mut c_void, c_int) -> c_int;
    pcap_set_timeout: fn(*mut c_void, c_int) -> c_int;
    pcap_set_buffer_size: fn(*mut c_void, c_int) -> c_int;
    pcap_set_tstamp_precision: fn(*mut c_void, c_int) -> c_int;
    pcap_get_tstamp_precision: fn(*mut c_void) -> c_int;
    pcap_activate: fn(*mut c_void) -> c_int;
    pcap_setnonblock: fn(*mut c_void, c_int, *mut c_char) -> c_int;
    pcap_get_selectable_fd: fn(*mut c_void) -> c_int;
    pcap_compile: fn(*mut c_void, *mut Program, *const c_char, c_int, c_uint) -> c_int;
    pcap_setfilter: fn(*mut c_void, *mut Program) -> c_int;
    pcap_freecode: fn(*mut Program);
    pcap_datalink: fn(*mut c_void) -> c_int;
    pcap_next_ex: fn(*mut c_void, *mut *const Header, *mut *const u8) -> c_int;
    pcap_stats: fn(*mut c_void, *mut Stats) -> c_int;
    pcap_geterr: fn(*mut c_void) -> *const c_char;
    pcap_statustostr: fn(c_int) -> *const c_char;
    pcap_close: fn(*mut c_void);
}

/// What is asked of libpcap.
pub(in super::super) struct Wanted<'a> {
    pub(in super::super) interface: &'a str,
    pub(in super::super) filter: Option<&'a str>,
    pub(in super::super) snap_len: u32,
    pub(in super::super) buffer: usize,
    pub(in super::super) promiscuous: bool,
}

/// Why libpcap does not do what was asked.
pub(in super::super) enum Refusal {
    /// It is not installed.
    Absent,
    /// No right to capture.
    Permission,
    /// The interface does not exist.
    NoInterface,
    /// The filter is not understood: libpcap's words.
    Filter(String),
    /// Anything else: libpcap's words.
    Other(String),
}

/// One packet. The time is in seconds and nanoseconds.
pub(in super::super) struct Packet<'a> {
    pub(in super::super) time: (i64, i64),
    pub(in super::super) original: u32,
    pub(in super::super) data: &'a [u8],
}

/// An open capture of libpcap.
pub(in super::super) struct Pcap {
    functions: Functions,
    handle: Handle,
    fraction_ns: i64,
}

// SAFETY: libpcap lets a handle be used by one thread at a time, whichever it is.
unsafe impl Send for Pcap {}

impl Pcap {
    /// Opens an interface. Packets arrive from the moment this returns.
    pub(in super::super) fn open(wanted: &Wanted<'_>) -> Result<Self, Refusal> {
        // SAFETY: loading libpcap runs its initialisers, as linking to it would.
        let library = NAMES.iter().find_map(|n| unsafe { Library::new(*n) }.ok()).ok_or(Refusal::Absent)?;
        let functions = Functions::load(library).map_err(|_| Refusal::Absent)?;
        let text = |s: &str| CString::new(s).map_err(|_| Refusal::Other("a name holds a NUL byte".into()));
        let name = text(wanted.interface)?;
        let mut words = [0 as c_char; ERROR_BYTES];
        // SAFETY: both strings live through the call; `words` has the size libpcap writes at most.
        let made = unsafe { (functions.pcap_create)(name.as_ptr(), words.as_mut_ptr()) };
        let handle = NonNull::new(made).ok_or_else(|| Refusal::Other(string(words.as_ptr())))?;
        let mut pcap = Self { functions, handle, fraction_ns: 1 };
        let (f, h) = (&pcap.functions, handle.as_ptr());
        let int = |n: usize| c_int::try_from(n).unwrap_or(c_int::MAX);
        // SAFETY: a handle that is made and not yet active, which is when these may be called.
        let activated = unsafe {
            (f.pcap_set_snaplen)(h, int(wanted.snap_len as usize));
            (f.pcap_set_promisc)(h, c_int::from(wanted.promiscuous));
            (f.pcap_set_timeout)(h, TIMEOUT_MS);
            (f.pcap_set_buffer_size)(h, int(wanted.buffer));
            (f.pcap_set_tstamp_precision)(h, NANO);
            (f.pcap_activate)(h)
        };
        match activated {
            0.. => {}
            -8 | -11 => return Err(Refusal::Permission), // PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED
            -5 => return Err(Refusal::NoInterface),      // PCAP_ERROR_NO_SUCH_DEVICE
            code => {
                // SAFETY: any status has a text, which is static.
                let status = string(unsafe { (f.pcap_statustostr)(code) });
                let more = Some(pcap.error()).filter(|m| !m.is_empty() && *m != status);
                return Err(Refusal::Other(more.map_or(status.clone(), |m| format!("{status} ({m})"))));
            }
        }
        // SAFETY: an active handle.
        pcap.fraction_ns = if unsafe { (f.pcap_get_tstamp_precision)(h) } == NANO { 1 } else { 1000 };
        if let Some(filter) = wanted.filter {
            let filter = text(filter)?;
            let mut program = Program { length: 0, instructions: ptr::null_mut() };
            // SAFETY: an active handle; the program is filled by the first call, used by the second, freed by the third.
            let set = unsafe {
                let compiled = (f.pcap_compile)(h, &raw mut program, filter.as_ptr(), 1, NO_MASK);
                if compiled == 0 {
                    let set = (f.pcap_setfilter)(h, &raw mut program);
                    (f.pcap_freecode)(&raw mut program);
                    set
                } else {
                    compiled
                }
            };
            if set != 0 {
                return Err(Refusal::Filter(pcap.error()));
            }
        }
        // SAFETY: an active handle. A blocking read would hang on a silent interface.
        if unsafe { (f.pcap_setnonblock)(h, 1, words.as_mut_ptr()) } != 0 {
            return Err(Refusal::Other(string(words.as_ptr())));
        }
        Ok(pcap)
    }

    /// The DLT of its packets.
    pub(in super::super) fn link(&self) -> c_int {
        // SAFETY: an active handle.
        unsafe { (self.functions.pcap_datalink)(self.handle.as_ptr()) }
    }

    /// The next packet, when one is there; libpcap's words when it cannot go on.
    pub(in super::super) fn next(&mut self) -> Result<Option<Packet<'_>>, String> {
        let (mut header, mut data): (*const Header, *const u8) = (ptr::null(), ptr::null());
        // SAFETY: an active handle; both pointers are set when the result is 1, and hold until the next call (`&mut self`).
        unsafe {
            match (self.functions.pcap_next_ex)(self.handle.as_ptr(), &raw mut header, &raw mut data) {
                1 => {}
                0 => return Ok(None),
                _ => return Err(self.error()),
            }
            let header = &*header;
            let time = (header.time.tv_sec, header.time.tv_usec.saturating_mul(self.fraction_ns));
            let data = std::slice::from_raw_parts(data, header.captured as usize);
            Ok(Some(Packet { time, original: header.original, data }))
        }
    }

    /// Packets dropped since the beginning: by the kernel, by the interface.
    pub(in super::super) fn dropped(&mut self) -> Option<u64> {
        let mut stats = Stats::default();
        // SAFETY: an active handle; `stats` is a whole `struct pcap_stat`.
        let result = unsafe { (self.functions.pcap_stats)(self.handle.as_ptr(), &raw mut stats) };
        (result == 0).then(|| u64::from(stats.dropped).saturating_add(u64::from(stats.interface_dropped)))
    }

    /// What to wait on.
    pub(in super::super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: an active handle, whose descriptor lives as long as it does.
        unsafe {
            let fd: RawFd = (self.functions.pcap_get_selectable_fd)(self.handle.as_ptr());
            (fd >= 0).then(|| BorrowedFd::borrow_raw(fd))
        }
    }

    fn error(&self) -> String {
        // SAFETY: a handle has an error buffer that ends with NUL.
        string(unsafe { (self.functions.pcap_geterr)(self.handle.as_ptr()) })
    }
}

impl Drop for Pcap {
    fn drop(&mut self) {
        // SAFETY: the handle is not used any more.
        unsafe { (self.functions.pcap_close)(self.handle.as_ptr()) }
    }
}

impl std::fmt::Debug for Pcap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pcap").finish_non_exhaustive()
    }
}

/// Text of libpcap.
fn string(words: *const c_char) -> String {
    if words.is_null() {
        return String::new();
    }
    // SAFETY: libpcap's texts end with NUL.
    unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned()
}
