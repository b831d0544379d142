/// Which addresses a sender may connect to: public ones, and what the operator allows besides.
///
/// Judged on the address of the socket about to be opened, not on the URL, so neither DNS rebinding
/// nor an odd spelling of an address can pass it. Connections are pooled and a pooled connection is
/// not judged again: each policy therefore has a sender of its own.
package struct AddressPolicy: Sendable, Equatable {
    /// Nothing but public addresses.
    package static let publicOnly = AddressPolicy(allowing: [])

    private let allowed: [CIDR]

    /// Public addresses, and those of `allowed` whatever they are.
    package init(allowing allowed: [CIDR]) { self.allowed = allowed }

    /// Whether a socket to `address` may be opened.
    package func permits(_ address: IPAddress) -> Bool {
        allowed.contains { $0.contains(address) } || Self.isPublic(address)
    }

    /// Whether `address` is one that the public internet can reach.
    ///
    /// For IPv6 everything outside 2000::/3 is refused, with the well-known NAT64 prefix as the one
    /// exception; addresses that carry an IPv4 address (NAT64, 6to4) are judged by it.
    package static func isPublic(_ address: IPAddress) -> Bool {
        switch address {
        case .v4:
            return !specialV4.contains { $0.contains(address) }
        case .v6(let value):
            if nat64.contains(address) {
                return isPublic(.v4(UInt32(truncatingIfNeeded: value)))
            }
            if sixToFour.contains(address) {
                return isPublic(.v4(UInt32(truncatingIfNeeded: value >> 80)))
            }
            return globalV6.contains(address) && !specialV6.contains { $0.contains(address) }
        }
    }

    /// IANA's IPv4 special-purpose registry, multicast, the reserved block, and the one metadata
    /// address outside them.
    private static let specialV4: [CIDR] = [
        CIDR(v4: 0x0000_0000, 8),  // "this network"; 0.0.0.0 reaches the machine itself
        CIDR(v4: 0x0a00_0000, 8),  // 10.0.0.0 private
        CIDR(v4: 0x6440_0000, 10),  // 100.64.0.0 carrier-grade NAT
        CIDR(v4: 0x7f00_0000, 8),  // 127.0.0.0 loopback
        CIDR(v4: 0xa83f_8110, 32),  // 168.63.129.16 Azure's host, in a public range
        CIDR(v4: 0xa9fe_0000, 16),  // 169.254.0.0 link-local, cloud metadata
        CIDR(v4: 0xac10_0000, 12),  // 172.16.0.0 private
        CIDR(v4: 0xc000_0000, 24),  // 192.0.0.0 protocol assignments
        CIDR(v4: 0xc000_0200, 24),  // 192.0.2.0 documentation
        CIDR(v4: 0xc058_6300, 24),  // 192.88.99.0 6to4 relays
        CIDR(v4: 0xc0a8_0000, 16),  // 192.168.0.0 private
        CIDR(v4: 0xc612_0000, 15),  // 198.18.0.0 benchmarks
        CIDR(v4: 0xc633_6400, 24),  // 198.51.100.0 documentation
        CIDR(v4: 0xcb00_7100, 24),  // 203.0.113.0 documentation
        CIDR(v4: 0xe000_0000, 4),  // 224.0.0.0 multicast
        CIDR(v4: 0xf000_0000, 4),  // 240.0.0.0 reserved, broadcast
    ]

    private static let globalV6 = CIDR(v6: 0x2000 << 112, 3)
    private static let nat64 = CIDR(v6: 0x0064_ff9b << 96, 96)
    private static let sixToFour = CIDR(v6: 0x2002 << 112, 16)

    /// What IANA sets apart inside 2000::/3.
    private static let specialV6: [CIDR] = [
        CIDR(v6: 0x2001 << 112, 23),  // protocol assignments, Teredo among them
        CIDR(v6: 0x2001_0db8 << 96, 32),  // documentation
        CIDR(v6: 0x3fff << 112, 20),  // documentation
    ]
}
