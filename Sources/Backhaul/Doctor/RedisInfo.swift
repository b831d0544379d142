/// The fields of `INFO`: lines of `name:value`.
struct RedisInfo: Sendable {
    private let fields: [Substring: Substring]

    init(_ text: String) {
        // "\r\n" is one Character.
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }
        let pairs = lines.compactMap { line in
            line.firstIndex(of: ":").map { (line[..<$0], line[line.index(after: $0)...]) }
        }
        fields = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    subscript(name: String) -> String? { fields[Substring(name)].map(String.init) }

    /// A field that is a whole number.
    func number(_ name: String) -> Int? { self[name].flatMap { Int($0) } }

    /// Whether the server told nothing, as hosted ones that do not allow `INFO`.
    var isEmpty: Bool { fields.isEmpty }
}
