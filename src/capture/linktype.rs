//! Link-layer types of the LINKTYPE_ registry (draft-ietf-opsawg-pcaplinktype).

use std::fmt;

/// A LINKTYPE_ value, without the FCS bits that a pcap header keeps beside it. Values nobody knows are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

macro_rules! link_types {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl LinkType {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The registry's name without `LINKTYPE_`; `None` for values that are not listed here.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

link_types! {
    /// BSD loopback: a 4-byte address family in the byte order of the capturing host.
    NULL = 0;
    /// Ethernet II and IEEE 802.3.
    ETHERNET = 1;
    /// Token Ring.
    IEEE802_5 = 6;
    /// SLIP with a header.
    SLIP = 8;
    /// PPP, in HDLC-like framing or without.
    PPP = 9;
    /// FDDI.
    FDDI = 10;
    /// PPP in HDLC-like framing (RFC 1662).
    PPP_HDLC = 50;
    /// PPPoE session packets.
    PPP_ETHER = 51;
    /// RFC 2684 over ATM.
    ATM_RFC1483 = 100;
    /// IPv4 or IPv6, told by the first nibble.
    RAW = 101;
    /// Cisco HDLC, or PPP in it.
    C_HDLC = 104;
    /// IEEE 802.11.
    IEEE802_11 = 105;
    /// Frame Relay.
    FRELAY = 107;
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    LOOP = 108;
    /// Linux "cooked" capture, version 1.
    LINUX_SLL = 113;
    /// OpenBSD pflog.
    PFLOG = 117;
    /// IEEE 802.11 with a Prism header.
    IEEE802_11_PRISM = 119;
    /// IP over Fibre Channel.
    IP_OVER_FC = 122;
    /// IEEE 802.11 with a radiotap header.
    IEEE802_11_RADIOTAP = 127;
    /// IEEE 802.11 with an AVS header.
    IEEE802_11_AVS = 163;
    /// Bluetooth HCI.
    BLUETOOTH_HCI_H4 = 187;
    /// USB, Linux header.
    USB_LINUX = 189;
    /// Per-packet information.
    PPI = 192;
    /// IEEE 802.15.4 with FCS.
    IEEE802_15_4_WITHFCS = 195;
    /// Endace ERF records.
    ERF = 197;
    /// Bluetooth HCI with a direction.
    BLUETOOTH_HCI_H4_WITH_PHDR = 201;
    /// PPP with a direction byte.
    PPP_WITH_DIR = 204;
    /// MPLS label stack.
    MPLS = 219;
    /// USB, Linux header of 64 bytes.
    USB_LINUX_MMAPPED = 220;
    /// IPv4.
    IPV4 = 228;
    /// IPv6.
    IPV6 = 229;
    /// Linux NFLOG.
    NFLOG = 239;
    /// USBPcap of Windows.
    USBPCAP = 249;
    /// Payloads of upper layers with a header of tags.
    WIRESHARK_UPPER_PDU = 252;
    /// Linux netlink.
    NETLINK = 253;
    /// Linux "cooked" capture, version 2.
    LINUX_SLL2 = 276;
}

impl LinkType {
    /// From the 16 bits of a file, with the values of DLT_RAW that some systems wrote (12; 14 on OpenBSD) made
    /// [`LinkType::RAW`].
    pub const fn from_file(value: u16) -> Self {
        match value {
            12 | 14 => Self::RAW,
            v => Self(v),
        }
    }
}

impl fmt::Display for LinkType {
    /// `1 (ETHERNET)`, `65000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_has_three_values() {
        assert_eq!([12, 14, 101].map(LinkType::from_file), [LinkType::RAW; 3]);
        assert_eq!(LinkType::from_file(1).to_string(), "1 (ETHERNET)");
        assert_eq!(LinkType::from_file(65000).to_string(), "65000");
    }
}
