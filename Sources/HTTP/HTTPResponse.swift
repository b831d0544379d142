/// A whole answer, copied out of libcurl.
package struct HTTPResponse: Sendable {
    /// 200, 302, 503, …: every status is an answer, none is an error.
    package let status: Int
    /// The headers of the final response.
    package let headers: HTTPHeaders
    /// As sent: redirects are not followed and nothing is decompressed.
    package let body: [UInt8]
    /// The address that was connected to, without the port.
    package let remoteAddress: String?
    /// From the start of the transfer to its end, without the wait for a free slot.
    package let elapsed: Duration

    package init(
        status: Int, headers: HTTPHeaders, body: [UInt8], remoteAddress: String?,
        elapsed: Duration
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        self.elapsed = elapsed
    }
}

/// Header fields in the order they came, looked up without regard to case.
package struct HTTPHeaders: Sendable {
    /// Name and value of each field; a repeated name stays repeated.
    package private(set) var fields: [(name: String, value: String)] = []

    package init(_ fields: [(name: String, value: String)] = []) { self.fields = fields }

    /// The first value under `name`.
    package subscript(name: String) -> String? {
        let wanted = name.lowercased()
        return fields.first { $0.name.lowercased() == wanted }?.value
    }

    /// Reads one header line as libcurl hands it over, with its line end.
    ///
    /// A status line starts anew, because an interim response (1xx) precedes the final one.
    mutating func read(line: some BidirectionalCollection<UInt8>) {
        guard !line.starts(with: "HTTP/".utf8) else { return fields.removeAll() }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        if fields.isEmpty { fields.reserveCapacity(8) }
        let value = line[line.index(after: colon)...].drop(while: Self.isSpace)
        let end = value.lastIndex { !Self.isSpace($0) }
        fields.append(
            (
                String(decoding: line[..<colon], as: UTF8.self),
                end.map { String(decoding: value[...$0], as: UTF8.self) } ?? ""
            ))
    }

    /// Blanks, and the line end: CR, LF and what else moves the paper.
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0d).contains(byte)
    }
}
