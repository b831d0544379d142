import Glibc

/// An address as a number, so that ranges are arithmetic.
///
/// An IPv4 address mapped into IPv6 (`::ffff:a.b.c.d`) *is* its IPv4 address: a socket connects to
/// the same place, so it is judged as the same.
package enum IPAddress: Sendable, Hashable {
    case v4(UInt32)
    case v6(UInt128)

    /// From the 16 bytes of an IPv6 address in network order.
    package init(v6 value: UInt128) {
        self = value >> 32 == 0xffff ? .v4(UInt32(truncatingIfNeeded: value)) : .v6(value)
    }

    /// Reads the strict spelling: four decimal parts, or RFC 4291 text; `nil` for anything else.
    package init?(_ text: String) {
        guard !text.utf8.contains(0) else { return nil }
        var v4 = UInt32(0)
        if unsafe inet_pton(AF_INET, text, &v4) == 1 {
            self = .v4(UInt32(bigEndian: v4))
            return
        }
        var v6 = UInt128(0)
        guard unsafe inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self.init(v6: UInt128(bigEndian: v6))
    }

    /// The number of bits.
    var width: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }

    /// The address with all but its first `bits` bits cleared.
    func prefix(_ bits: Int) -> IPAddress {
        switch self {
        case .v4(let value): .v4(bits == 0 ? 0 : value & (UInt32.max << UInt32(32 - bits)))
        case .v6(let value): .v6(bits == 0 ? 0 : value & (UInt128.max << UInt128(128 - bits)))
        }
    }
}
