import HTTP

/// A range of addresses in CIDR notation, as written and as understood.
struct AddressRange: Sendable, Hashable {
    let text: String
    let block: CIDR

    /// Reads `10.0.0.0/8`, `fd00::/8` or a single address.
    init(_ text: String) throws(CIDR.ParseError) {
        self.text = text
        block = try CIDR(text)
    }
}
