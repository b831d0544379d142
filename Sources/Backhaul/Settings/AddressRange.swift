/// The written form of an address range: CIDR notation of RFC 4632 (IPv4) and RFC 4291 (IPv6).
enum AddressRange {
    /// Whether `text` is an address, a slash and a prefix length that the address can have.
    static func isWellFormed(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let length = number(parts[1], upTo: 128) else { return false }
        if isIPv4(parts[0]) { return length <= 32 }
        return isIPv6(parts[0])
    }

    private static func number(_ digits: Substring, upTo limit: Int) -> Int? {
        guard (1...3).contains(digits.utf8.count), digits == "0" || digits.first != "0",
            digits.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int(digits)
        else { return nil }
        return value <= limit ? value : nil
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { number($0, upTo: 255) != nil }
    }

    private static func isIPv6(_ text: Substring) -> Bool {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard text.contains(":"), halves.count <= 2 else { return false }
        let groups = halves.flatMap { $0.split(separator: ":", omittingEmptySubsequences: false) }
            .filter { halves.count == 1 || !$0.isEmpty }
        guard
            groups.allSatisfy({ group in
                (1...4).contains(group.utf8.count) && group.allSatisfy(\.isHexDigit)
            })
        else { return false }
        return halves.count == 2 ? groups.count <= 7 : groups.count == 8
    }
}
