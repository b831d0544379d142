/// How JSON text is spaced.
package enum JSONStyle: Sendable {
    /// No space at all.
    case compact
    /// `", "` and `": "`, as Python's `json.dumps` writes by default.
    case python
}

extension JSONValue {
    /// The JSON text: ASCII only, numbers as they came.
    package func encoded(_ style: JSONStyle = .compact) -> [UInt8] {
        var text: [UInt8] = []
        text.append(json: self, style)
        return text
    }
}

extension [UInt8] {
    /// Appends the JSON text of `value`.
    mutating func append(json value: JSONValue, _ style: JSONStyle) {
        switch value {
        case .null: append(contentsOf: "null".utf8)
        case .bool(let flag): append(contentsOf: flag ? "true".utf8 : "false".utf8)
        case .number(let number): append(contentsOf: number.text.utf8)
        case .string(let text): append(jsonString: text)
        case .array(let items): append(json: items, style)
        case .object(let members): append(json: members, style)
        }
    }

    /// Appends a JSON list.
    mutating func append(json items: [JSONValue], _ style: JSONStyle) {
        append(UInt8(ascii: "["))
        var isFirst = true
        for item in items {
            if !isFirst { appendComma(style) }
            isFirst = false
            append(json: item, style)
        }
        append(UInt8(ascii: "]"))
    }

    /// Appends a JSON object.
    mutating func append(json members: JSONObject, _ style: JSONStyle) {
        append(UInt8(ascii: "{"))
        var isFirst = true
        members.forEachMember { key, value in
            if !isFirst { appendComma(style) }
            isFirst = false
            append(jsonString: key)
            append(UInt8(ascii: ":"))
            if style == .python { append(UInt8(ascii: " ")) }
            append(json: value, style)
        }
        append(UInt8(ascii: "}"))
    }

    private mutating func appendComma(_ style: JSONStyle) {
        append(UInt8(ascii: ","))
        if style == .python { append(UInt8(ascii: " ")) }
    }

    /// Appends a quoted string, with everything but printable ASCII escaped as Python escapes it.
    mutating func append(jsonString text: String) {
        append(UInt8(ascii: "\""))
        if text.utf8.span.isPlainInJSON {
            append(contentsOf: text.utf8)
        } else {
            for unit in text.utf16 { append(jsonUnit: unit) }
        }
        append(UInt8(ascii: "\""))
    }

    /// Appends a quoted string, or `null`.
    mutating func append(jsonStringOrNull text: String?) {
        if let text { append(jsonString: text) } else { append(contentsOf: "null".utf8) }
    }

    private mutating func append(jsonUnit unit: UInt16) {
        switch unit {
        case 0x22: append(contentsOf: #"\""#.utf8)
        case 0x5c: append(contentsOf: #"\\"#.utf8)
        case 0x08: append(contentsOf: #"\b"#.utf8)
        case 0x09: append(contentsOf: #"\t"#.utf8)
        case 0x0a: append(contentsOf: #"\n"#.utf8)
        case 0x0c: append(contentsOf: #"\f"#.utf8)
        case 0x0d: append(contentsOf: #"\r"#.utf8)
        case 0x20...0x7e: append(UInt8(unit))
        default:
            append(contentsOf: #"\u"#.utf8)
            for shift in [12, 8, 4, 0] {
                let digit = UInt8(unit >> UInt16(shift) & 0xf)
                append(digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10))
            }
        }
    }
}

extension Span<UInt8> {
    /// Whether these bytes stand for themselves in a JSON string written by Python.
    var isPlainInJSON: Bool {
        // No early end: so the loop takes many bytes in one step.
        var escaped: UInt8 = 0
        for place in indices {
            let byte = self[place]
            escaped |= byte &- 0x20 >= 0x5f ? 1 : 0
            escaped |= byte == UInt8(ascii: "\"") ? 1 : 0
            escaped |= byte == UInt8(ascii: "\\") ? 1 : 0
        }
        return escaped == 0
    }
}
