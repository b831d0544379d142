import Foundation

/// Arguments as Python's `repr` shows them, for logs and monitors; cut at ``maximumCharacters``.
package struct PythonRepr {
    /// The longest text; Celery's own limit.
    package static let maximumCharacters = 1024
    private static let ellipsis = "..."

    /// UTF-8, a little longer than the limit at most.
    private var text: [UInt8] = []
    private var characters = 0

    /// A tuple, such as `(2, 3)`.
    static func tuple(_ items: [JSONValue]) -> String {
        var repr = PythonRepr()
        repr.append("(")
        repr.append(items)
        repr.append(items.count == 1 ? ",)" : ")")
        return repr.finished
    }

    /// A dictionary, such as `{'x': 2}`.
    static func dictionary(_ members: JSONObject) -> String {
        var repr = PythonRepr()
        repr.text.reserveCapacity(128)
        repr.append(members)
        return repr.finished
    }

    /// Any value, such as `[1, None]`.
    package static func value(_ value: JSONValue) -> String {
        var repr = PythonRepr()
        repr.append(value)
        return repr.finished
    }

    /// A call of `name`, such as `ValueError('no such invoice')`; an exception is shown so.
    package static func call(_ name: String, _ arguments: [JSONValue]) -> String {
        var repr = PythonRepr()
        repr.append(name)
        repr.append("(")
        repr.append(arguments)
        repr.append(")")
        return repr.finished
    }

    /// Appends a dictionary as a JSON string.
    static func append(_ members: JSONObject, quotedTo json: inout [UInt8]) {
        var repr = PythonRepr()
        repr.append(members)
        repr.appendQuoted(to: &json)
    }

    /// Appends all that was appended here as a JSON string.
    func appendQuoted(to json: inout [UInt8]) {
        guard !isFull, text.span.isPlainInJSON else { return json.append(jsonString: finished) }
        json.append(UInt8(ascii: "\""))
        json.append(contentsOf: text)
        json.append(UInt8(ascii: "\""))
    }

    /// Begins anew, and keeps the memory.
    mutating func removeAll() {
        text.removeAll(keepingCapacity: true)
        characters = 0
    }

    private var isFull: Bool { characters > Self.maximumCharacters }

    private var finished: String {
        let whole = String(decoding: text, as: UTF8.self)
        guard isFull else { return whole }
        let kept = Self.maximumCharacters - Self.ellipsis.utf8.count
        return String(String.UnicodeScalarView(whole.unicodeScalars.prefix(kept))) + Self.ellipsis
    }

    /// Appends ASCII text.
    mutating func append(_ piece: String) {
        guard !isFull else { return }
        text.append(contentsOf: piece.utf8)
        characters += piece.utf8.count
    }

    private mutating func append(_ items: [JSONValue]) {
        var isFirst = true
        for item in items {
            guard !isFull else { return }
            if !isFirst { append(", ") }
            isFirst = false
            append(item)
        }
    }

    /// Appends any value.
    mutating func append(_ value: JSONValue) {
        switch value {
        case .null: append("None")
        case .bool(let flag): append(flag ? "True" : "False")
        case .number(let number): append(Self.number(number.text))
        case .string(let string): append(quoted: string)
        case .array(let items):
            append("[")
            append(items)
            append("]")
        case .object(let members):
            if !append(typed: members) { append(members) }
        }
    }

    /// Appends a dictionary.
    mutating func append(_ members: JSONObject) {
        append("{")
        var isFirst = true
        members.forEachMember { key, value in
            guard !isFull else { return }
            append(key: key, isFirst: isFirst)
            append(value)
            isFirst = false
        }
        append("}")
    }

    /// Appends what stands before the value of a member of a dictionary.
    mutating func append(key: String, isFirst: Bool) {
        if !isFirst { append(", ") }
        append(quoted: key)
        append(": ")
    }

    /// Appends what another has.
    mutating func append(contentsOf other: PythonRepr) {
        guard !isFull else { return }
        text.append(contentsOf: other.text)
        characters += other.characters
    }

    /// Appends one of kombu's typed values by its constructor.
    private mutating func append(typed members: JSONObject) -> Bool {
        guard let form = try? TypedForm(members) else { return false }
        switch form {
        case .uuid(let uuid): append("UUID('\(uuid.uuidString.lowercased())')")
        case .bytes(let data): append("<\(data.count) bytes>")
        case .decimal, .datetime, .date, .time:
            guard let type = members[TypedForm.typeKey]?.stringValue,
                let value = members[TypedForm.valueKey]?.stringValue
            else { return false }
            append(type == "decimal" ? "Decimal" : type)
            append("(")
            append(quoted: value)
            append(")")
        }
        return true
    }

    private static func number(_ text: String) -> String {
        switch text {
        case "NaN": "nan"
        case "Infinity": "inf"
        case "-Infinity": "-inf"
        default: text
        }
    }

    /// Single quotes, unless only they occur within; control characters escaped.
    private mutating func append(quoted string: String) {
        if append(plain: string) { return }
        let hasSingle = string.utf8.contains(UInt8(ascii: "'"))
        let quote: Unicode.Scalar =
            hasSingle && !string.utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
        append(quote)
        for scalar in string.unicodeScalars {
            guard !isFull else { return }
            switch scalar {
            case quote, "\\":
                append("\\")
                append(scalar)
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case "\u{0}"..<"\u{20}", "\u{7f}"..<"\u{a1}":
                let digits = String(scalar.value, radix: 16)
                append("\\x" + (digits.count < 2 ? "0" : "") + digits)
            default: append(scalar)
            }
        }
        append(quote)
    }

    /// Appends, in quotes, text that is shown as it stands, as most is.
    private mutating func append(plain string: String) -> Bool {
        let bytes = string.utf8.span
        guard characters + bytes.count + 2 <= Self.maximumCharacters else { return false }
        for place in bytes.indices {
            let byte = bytes[place]
            let isPlain =
                byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "'")
                && byte != UInt8(ascii: "\\")
            guard isPlain else { return false }
        }
        text.append(UInt8(ascii: "'"))
        text.append(contentsOf: string.utf8)
        text.append(UInt8(ascii: "'"))
        characters += bytes.count + 2
        return true
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        guard !isFull else { return }
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        characters += 1
    }
}
