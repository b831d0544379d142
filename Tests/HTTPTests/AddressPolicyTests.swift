import HTTP
import Testing

@Suite("The address guard's ranges")
struct AddressPolicyTests {
    @Test(
        "each special IPv4 range is refused from its first to its last address, and no further",
        arguments: [
            (nil, "0.0.0.0", "0.255.255.255", "1.0.0.0"),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
            ("168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
            ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
            ("223.255.255.255", "224.0.0.0", "239.255.255.255", nil),
            (nil, "240.0.0.0", "255.255.255.255", nil),
        ] as [(String?, String, String, String?)])
    func rangesOfV4(before: String?, first: String, last: String, after: String?) throws {
        try expect(publicOnes: [before, after], refused: [first, last])
        // The same through every IPv6 form that carries an IPv4 address.
        for embed in [Self.mapped, Self.nat64, Self.sixToFour] {
            try expect(
                publicOnes: [before, after].map { $0.map(embed) },
                refused: [first, last].map(embed))
        }
    }

    @Test(
        "IPv6 is public inside 2000::/3 only, without what is set apart there",
        arguments: [
            (nil, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
            ("2000:ffff::", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"),
            (
                "2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db9::"
            ),
            ("3ffe:ffff::", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"),
            ("3fff:ffff::", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nil),
        ] as [(String?, String, String, String?)])
    func rangesOfV6(before: String?, first: String, last: String, after: String?) throws {
        try expect(publicOnes: [before, after], refused: [first, last])
    }

    @Test(
        "addresses with a bad name are refused by it",
        arguments: [
            "::1", "::7f00:1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254",
            "ff02::1", "100::1", "64:ff9b:1::808:808", "::ffff:0:808:808", "2001::1", "5f00::1",
            "169.254.169.254", "255.255.255.255",
        ])
    func notorious(address: String) throws {
        try expect(publicOnes: [], refused: [address])
    }

    @Test("an allowed block is let in, and nothing beside it")
    func allowance() throws {
        let policy = AddressPolicy(allowing: [try CIDR("127.0.0.1"), try CIDR("fd00::/16")])
        for text in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::5", "8.8.8.8"] {
            #expect(policy.permits(try #require(IPAddress(text))), "\(text)")
        }
        for text in ["127.0.0.2", "fd01::5", "10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"] {
            #expect(!policy.permits(try #require(IPAddress(text))), "\(text)")
        }
    }

    private func expect(publicOnes: [String?], refused: [String]) throws {
        for text in publicOnes.compactMap({ $0 }) {
            #expect(AddressPolicy.publicOnly.permits(try #require(IPAddress(text))), "\(text)")
        }
        for text in refused {
            #expect(!AddressPolicy.publicOnly.permits(try #require(IPAddress(text))), "\(text)")
        }
    }

    private static func mapped(_ v4: String) -> String { "::ffff:\(v4)" }

    private static func nat64(_ v4: String) -> String { "64:ff9b::\(v4)" }

    private static func sixToFour(_ v4: String) -> String {
        let parts = v4.split(separator: ".").compactMap { UInt8($0) }.map {
            let digits = String($0, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        return "2002:\(parts[0])\(parts[1]):\(parts[2])\(parts[3])::1"
    }
}
