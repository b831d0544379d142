/// Header fields in the order they came, looked up without regard to case.
///
/// Kept as the bytes that came and read when asked: few callers look at more than the status.
package struct HTTPHeaders: Sendable {
    /// What fits the head of most answers.
    private static let usualBytes = 256

    private static let status = Array("HTTP/".utf8)

    /// One line behind the other, each ended by LF.
    private var lines: [UInt8] = []

    package init(_ fields: [(name: String, value: String)] = []) {
        for (name, value) in fields { lines += Array("\(name): \(value)\n".utf8) }
    }

    /// Name and value of each field; a repeated name stays repeated.
    package var fields: [(name: String, value: String)] {
        lines.split(separator: 0x0a).compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let value = line[line.index(after: colon)...].drop(while: Self.isSpace)
            let end = value.lastIndex { !Self.isSpace($0) }
            return (
                String(decoding: line[..<colon], as: UTF8.self),
                end.map { String(decoding: value[...$0], as: UTF8.self) } ?? ""
            )
        }
    }

    /// The first value under `name`.
    package subscript(name: String) -> String? {
        let wanted = name.lowercased()
        return fields.first { $0.name.lowercased() == wanted }?.value
    }

    /// Takes one header line as libcurl hands it over, with its line end.
    ///
    /// A status line starts anew, because an interim response (1xx) precedes the final one.
    mutating func take(line: some Collection<UInt8>) {
        guard !line.starts(with: Self.status) else { return lines.removeAll(keepingCapacity: true) }
        if lines.isEmpty { lines.reserveCapacity(Self.usualBytes) }
        lines.append(contentsOf: line)
    }

    /// Blanks, and the line end: CR, LF and what else moves the paper.
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0d).contains(byte)
    }
}
