package import JobModel

extension ArgumentTemplate {
    /// Why a text is no template.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// What is wrong, as a predicate.
        package let problem: String

        package var description: String { problem }
    }

    private static let open = "{{"
    private static let close = "}}"

    /// Reads a text; nil when there is nothing to fill in and nothing to unescape.
    ///
    /// ```
    /// template := (text | "\{{" | "{{" field ["|" format] "}}")*
    /// ```
    ///
    /// - Throws: `Failure` when braces are not closed, or the field or the format is not known.
    package init?(_ text: String) throws(Failure) {
        guard text.contains(Self.open) else { return nil }
        var pieces: [Piece] = []
        var literal = ""
        var rest = Substring(text)
        while let opening = rest.firstRange(of: Self.open) {
            let before = rest[..<opening.lowerBound]
            rest = rest[opening.upperBound...]
            if before.hasSuffix("\\") {
                literal += before.dropLast() + Self.open
                continue
            }
            literal += before
            guard let closing = rest.firstRange(of: Self.close) else {
                throw Failure(
                    problem: "has \"\(Self.open)\" without \"\(Self.close)\";"
                        + " write \\\(Self.open) for the braces themselves")
            }
            if !literal.isEmpty { pieces.append(.text(literal)) }
            literal = ""
            pieces.append(try Self.piece(rest[..<closing.lowerBound]))
            rest = rest[closing.upperBound...]
        }
        literal += rest
        if !literal.isEmpty { pieces.append(.text(literal)) }
        self.pieces = pieces
    }

    private static func piece(_ text: Substring) throws(Failure) -> Piece {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
            .map { $0.filter { !$0.isWhitespace } }
        guard parts.count <= 2 else {
            throw Failure(problem: "has more than one format in \"{{\(text)}}\"")
        }
        guard let field = Field(rawValue: parts[0]) else {
            let known = Field.allCases.map(\.rawValue)
            throw Failure(
                problem: "has the unknown field \"\(parts[0])\""
                    + suggestion(for: parts[0], among: known))
        }
        guard parts.count == 2 else { return .field(field, .instant) }
        guard let format = Format(rawValue: parts[1]), format != .instant else {
            let known = Format.allCases.filter { $0 != .instant }.map(\.rawValue)
            throw Failure(
                problem: "has the unknown format \"\(parts[1])\""
                    + suggestion(for: parts[1], among: known))
        }
        guard field != .entryName else {
            throw Failure(problem: "has a format after \(field.rawValue), which is not a time")
        }
        return .field(field, format)
    }

    /// What was probably meant, else everything there is: with so few words, a guess that is not
    /// near is worse than the list.
    private static func suggestion(for name: String, among known: [String]) -> String {
        if let nearest = NearestName.to(name, among: known),
            EditDistance.between(name, nearest) <= 2
        {
            return "; did you mean \"\(nearest)\"?"
        }
        return "; known are \(known.joined(separator: ", "))"
    }
}

/// The templates among a job's arguments, by the text they were read from.
package struct ArgumentTemplates: Sendable, Equatable {
    private var byText: [String: ArgumentTemplate] = [:]

    package init() {}

    /// Reads every text among the arguments, at any depth; keys are left as they are.
    package init(
        args: [JSONValue], kwargs: JSONObject
    ) throws(ArgumentTemplate.Failure) {
        try read(.array(args))
        try read(.object(kwargs))
    }

    /// Whether nothing has to be filled in.
    package var isEmpty: Bool { byText.isEmpty }

    private mutating func read(_ value: JSONValue) throws(ArgumentTemplate.Failure) {
        switch value {
        case .string(let text):
            if let template = try ArgumentTemplate(text) { byText[text] = template }
        case .array(let items):
            for item in items { try read(item) }
        case .object(let object):
            for (_, member) in object { try read(member) }
        default: break
        }
    }

    /// The value with every template in it filled in.
    func rendered(_ value: JSONValue, _ values: ArgumentTemplate.Values) -> JSONValue {
        switch value {
        case .string(let text):
            return byText[text]?.rendered(values) ?? value
        case .array(let items):
            return .array(items.map { rendered($0, values) })
        case .object(let object):
            return .object(rendered(object, values))
        default:
            return value
        }
    }

    func rendered(
        _ object: JSONObject, _ values: ArgumentTemplate.Values
    ) -> JSONObject {
        JSONObject(object.map { ($0.key, rendered($0.value, values)) })
    }
}
