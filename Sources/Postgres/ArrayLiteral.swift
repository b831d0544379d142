/// The text form of one-dimensional arrays: `{1,"two",NULL}`; see the manual, 8.15.6.
enum ArrayLiteral {
    static func text(_ elements: some Sequence<String?>) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for element in elements {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            guard let element else {
                bytes += "NULL".utf8
                continue
            }
            // Always quoted, so that no element can be read as NULL or as syntax.
            bytes.append(UInt8(ascii: "\""))
            for byte in element.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    bytes.append(UInt8(ascii: "\\"))
                }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The elements of a one-dimensional array, nil for NULL; nil for any other text.
    static func elements(_ text: ArraySlice<UInt8>) -> [ArraySlice<UInt8>?]? {
        guard text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}"), text.count >= 2
        else { return nil }
        let body = text.dropFirst().dropLast()
        var elements: [ArraySlice<UInt8>?] = []
        guard !body.isEmpty else { return elements }
        var position = body.startIndex
        while true {
            guard let element = next(body, at: &position) else { return nil }
            elements.append(element.value)
            guard position < body.endIndex else { return elements }
            guard body[position] == UInt8(ascii: ",") else { return nil }
            position += 1
        }
    }

    private struct Element {
        let value: ArraySlice<UInt8>?
    }

    private static func next(_ body: ArraySlice<UInt8>, at position: inout Int) -> Element? {
        guard position < body.endIndex else { return nil }
        guard body[position] == UInt8(ascii: "\"") else {
            let start = position
            while position < body.endIndex, body[position] != UInt8(ascii: ",") {
                let byte = body[position]
                guard byte != UInt8(ascii: "{"), byte != UInt8(ascii: "}"),
                    byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\")
                else { return nil }
                position += 1
            }
            let bare = body[start..<position]
            guard !bare.isEmpty else { return nil }
            return Element(value: bare.elementsEqual("NULL".utf8) ? nil : bare)
        }
        position += 1
        var value: [UInt8] = []
        while position < body.endIndex {
            let byte = body[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return Element(value: value[...]) }
            if byte == UInt8(ascii: "\\") {
                guard position < body.endIndex else { return nil }
                value.append(body[position])
                position += 1
            } else {
                value.append(byte)
            }
        }
        return nil
    }
}
