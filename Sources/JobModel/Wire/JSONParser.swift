/// Reads JSON text as Python's `json.loads` does: bare `NaN`, `Infinity` and `-Infinity` are
/// numbers, the last of equal keys wins, control characters in strings are refused.
///
/// Unlike Python it refuses half of a surrogate pair (`\ud800` alone): Swift strings are Unicode
/// text, and a message that cannot be kept exactly is better quarantined than altered.
///
/// Source: RFC 8259.
struct JSONParser {
    /// No caller may ask for deeper nesting: each level takes some of the stack.
    static let maximumDepth = 512

    private let depthLimit: Int
    private var position = 0
    /// Whether any object had the key `__type__`: most texts have none, and need no second look.
    private(set) var sawTypeMarker = false

    private init(depthLimit: Int) { self.depthLimit = min(depthLimit, Self.maximumDepth) }

    /// Reads one value that fills `bytes` but for white space.
    ///
    /// Lists and objects may be nested `depth` deep, at most ``maximumDepth``.
    ///
    /// - Returns: the value, and whether an object in it has the key `__type__`.
    /// - Throws: `JSONError`.
    static func parse(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> (JSONValue, Bool) {
        var parser = JSONParser(depthLimit: depth)
        let value = try parser.value(bytes, depth: 0)
        parser.skipSpace(bytes)
        guard parser.position == bytes.count else {
            throw parser.error(.syntax, "there is text after the JSON value")
        }
        return (value, parser.sawTypeMarker)
    }

    /// The first two items of a list that has more, and where the comma behind them stands.
    ///
    /// - Returns: `nil` for a text that is no such list, or has an object with the key `__type__`.
    static func firstTwo(
        _ bytes: Span<UInt8>, depth: Int
    ) -> (first: JSONValue, second: JSONValue, end: Int)? {
        var parser = JSONParser(depthLimit: depth)
        do throws(JSONError) {
            guard try parser.peek(bytes) == UInt8(ascii: "[") else { return nil }
            try parser.enter(0)
            let first = try parser.value(bytes, depth: 1)
            guard try !parser.closes(bytes, with: UInt8(ascii: "]")) else { return nil }
            let second = try parser.value(bytes, depth: 1)
            parser.skipSpace(bytes)
            return parser.sawTypeMarker ? nil : (first, second, parser.position)
        } catch {
            return nil
        }
    }

    private func error(_ code: JSONError.Code, _ message: String) -> JSONError {
        JSONError(code: code, message: message, offset: position)
    }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while position < bytes.count, bytes[position].isJSONSpace { position += 1 }
    }

    /// The next byte that is not white space, not yet taken.
    private mutating func peek(_ bytes: Span<UInt8>) throws(JSONError) -> UInt8 {
        skipSpace(bytes)
        guard position < bytes.count else { throw error(.syntax, "the JSON text ends early") }
        return bytes[position]
    }

    private mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        switch try peek(bytes) {
        case UInt8(ascii: "\""):
            return .string(try string(bytes))
        case UInt8(ascii: "{"):
            return try object(bytes, depth: depth)
        case UInt8(ascii: "["):
            return try array(bytes, depth: depth)
        case UInt8(ascii: "n"):
            return try word(bytes, "null", .null)
        case UInt8(ascii: "t"):
            return try word(bytes, "true", .bool(true))
        case UInt8(ascii: "f"):
            return try word(bytes, "false", .bool(false))
        default:
            return .number(try number(bytes))
        }
    }

    private mutating func word(
        _ bytes: Span<UInt8>, _ text: String, _ value: JSONValue
    ) throws(JSONError) -> JSONValue {
        guard let end = bytes.end(ofWord: text, at: position) else {
            throw error(.syntax, "unknown word")
        }
        position = end
        return value
    }

    private mutating func number(_ bytes: Span<UInt8>) throws(JSONError) -> JSONNumber {
        guard let end = bytes.endOfNumber(at: position) else {
            throw error(.syntax, "expected a JSON value")
        }
        let text = bytes.extracting(position..<end).asciiText()
        position = end
        return JSONNumber(text: text)
    }

    private mutating func array(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        try enter(depth)
        var items: [JSONValue] = []
        if try peek(bytes) == UInt8(ascii: "]") {
            position += 1
            return .array(items)
        }
        while true {
            items.append(try value(bytes, depth: depth + 1))
            if try closes(bytes, with: UInt8(ascii: "]")) { return .array(items) }
        }
    }

    private mutating func object(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        try enter(depth)
        var members = JSONObject()
        if try peek(bytes) == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            guard try peek(bytes) == UInt8(ascii: "\"") else {
                throw error(.syntax, "expected a key")
            }
            let key = try string(bytes)
            guard try peek(bytes) == UInt8(ascii: ":") else {
                throw error(.syntax, "expected a colon")
            }
            position += 1
            if key == TypedForm.typeKey { sawTypeMarker = true }
            members[key] = try value(bytes, depth: depth + 1)
            if try closes(bytes, with: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    /// Takes the bracket that opens a list or object.
    private mutating func enter(_ depth: Int) throws(JSONError) {
        guard depth < depthLimit else {
            throw error(.depth, "nested deeper than \(depthLimit) levels")
        }
        position += 1
    }

    /// Takes a comma, or the closing bracket, and says which.
    private mutating func closes(
        _ bytes: Span<UInt8>, with bracket: UInt8
    ) throws(JSONError) -> Bool {
        let byte = try peek(bytes)
        guard byte == bracket || byte == UInt8(ascii: ",") else {
            throw error(.syntax, "expected a comma or a closing bracket")
        }
        position += 1
        return byte == bracket
    }

    private mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let text = try text(bytes, start..<position)
                position += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(bytes, from: start) }
            guard byte >= 0x20 else { throw error(.syntax, "control character in a string") }
            position += 1
        }
        throw error(.syntax, "the JSON text ends in a string")
    }

    private func text(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(JSONError) -> String {
        do {
            return String(copying: try UTF8Span(validating: bytes.extracting(range)))
        } catch {
            throw JSONError(
                code: .utf8, message: "a string is not UTF-8", offset: range.lowerBound)
        }
    }

    /// The string from `start`, of which the part before `position` has no escape.
    private mutating func escapedString(
        _ bytes: Span<UInt8>, from start: Int
    ) throws(JSONError) -> String {
        var decoded: [UInt8] = []
        for place in start..<position { decoded.append(bytes[place]) }
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return try text(decoded.span, 0..<decoded.count)
            }
            if byte == UInt8(ascii: "\\") {
                guard let (scalar, end) = bytes.escape(at: position) else {
                    throw error(.syntax, "bad escape in a string")
                }
                guard let scalar else {
                    throw error(.surrogate, "half of a surrogate pair in a string")
                }
                decoded.append(contentsOf: String(scalar).utf8)
                position = end
                continue
            }
            guard byte >= 0x20 else { throw error(.syntax, "control character in a string") }
            decoded.append(byte)
            position += 1
        }
        throw error(.syntax, "the JSON text ends in a string")
    }
}
