/// What may stand in a request's head, byte by byte.
enum FieldText {
    /// What a field's value is made of.
    enum Content {
        /// Something to send.
        case text
        /// Nothing but spaces and tabs.
        case blank
        /// A control character is among it.
        case unfit
    }

    /// The longest method that is sent, bytes.
    private static let methodBytes = 16

    /// What the transport writes by itself: given by a caller, they could split one request in two.
    private static let framing: [StaticString] = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
        "upgrade", "expect", "proxy-connection",
    ]

    /// Whether it is a word of capitals.
    static func isMethod(_ text: Span<UInt8>) -> Bool {
        guard (1...methodBytes).contains(text.count) else { return false }
        for index in text.indices where !(0x41...0x5a).contains(text[index]) { return false }
        return true
    }

    /// RFC 9110, 5.6.2.
    static func isToken(_ text: Span<UInt8>) -> Bool {
        for index in text.indices {
            switch text[index] {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: continue
            // !#$%&'*+-.^_`|~
            case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e...0x60, 0x7c, 0x7e: continue
            default: return false
            }
        }
        return !text.isEmpty
    }

    /// Whether the field of that name is the transport's own.
    static func isFraming(_ name: Span<UInt8>) -> Bool {
        for own in framing where isSame(name, own) { return true }
        return false
    }

    /// Whether an ASCII name is `lowercase` without regard to case.
    static func isSame(_ name: Span<UInt8>, _ lowercase: StaticString) -> Bool {
        guard name.count == lowercase.utf8CodeUnitCount else { return false }
        return lowercase.withUTF8Buffer { wanted in
            for index in name.indices {
                let byte = name[index]
                let isCapital = (0x41...0x5a).contains(byte)
                guard unsafe (isCapital ? byte | 0x20 : byte) == wanted[index] else { return false }
            }
            return true
        }
    }

    /// RFC 9110, 5.5: no control characters but the tab; CR and LF would start a new field.
    static func content(of value: Span<UInt8>) -> Content {
        var isBlank = true
        for index in value.indices {
            switch value[index] {
            case 0x20, 0x09: continue
            case 0..<0x20, 0x7f: return .unfit
            default: isBlank = false
            }
        }
        return isBlank ? .blank : .text
    }
}
