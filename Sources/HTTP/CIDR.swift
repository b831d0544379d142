/// A block of addresses: a prefix and its length.
package struct CIDR: Sendable, Hashable {
    private let base: IPAddress
    private let bits: Int

    /// A block that cannot be read, and why.
    package struct ParseError: Error, Sendable, Equatable, CustomStringConvertible {
        package let text: String
        package let problem: String

        package var description: String { "\"\(text)\" is no address block: \(problem)" }
    }

    /// Reads `10.0.0.0/8`, `::1/128`, or a single address.
    ///
    /// Bits set beyond the prefix are refused: `10.1.2.3/8` is more likely a slip than a wish.
    package init(_ text: String) throws(ParseError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let spelling = parts.first, let base = IPAddress(String(spelling)) else {
            throw ParseError(text: text, problem: "the address cannot be read")
        }
        var bits = base.width
        if parts.count == 2 {
            // A mapped address is kept as its IPv4 address, 96 bits shorter.
            let shift = spelling.contains(":") ? 128 - base.width : 0
            let digits = parts[1].utf8
            guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }),
                let length = Int(parts[1]), (0...base.width).contains(length - shift)
            else { throw ParseError(text: text, problem: "the prefix length is out of range") }
            bits = length - shift
        }
        guard base.prefix(bits) == base else {
            throw ParseError(text: text, problem: "bits are set beyond the prefix")
        }
        self.base = base
        self.bits = bits
    }

    /// For blocks written in source.
    init(v4 base: UInt32, _ bits: Int) {
        self.base = .v4(base)
        self.bits = bits
    }

    /// For blocks written in source.
    init(v6 base: UInt128, _ bits: Int) {
        self.base = .v6(base)
        self.bits = bits
    }

    /// Whether `address` lies in the block.
    package func contains(_ address: IPAddress) -> Bool {
        address.width == base.width && address.prefix(bits) == base
    }
}
