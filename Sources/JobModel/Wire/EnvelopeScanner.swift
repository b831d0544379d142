/// Finds the fields of an ordinary envelope in one pass over its bytes, building nothing else.
///
/// It checks the whole text by the rules of ``JSONParser``. At anything out of the ordinary (a
/// broken or too deep text, bytes beyond ASCII, a wanted key twice or written with escapes) it gives
/// up, and the caller reads the envelope as a JSON value, which also finds the words for an error.
struct EnvelopeScanner {
    /// What made the scanner give up does not matter.
    private struct Unexpected: Error {}

    private let depthLimit: Int
    private let names: EnvelopeNames
    private var position = 0
    private var fields = EnvelopeFields()

    /// The fields of `bytes`, or `nil` when the envelope is out of the ordinary.
    static func fields(of bytes: Span<UInt8>, depth: Int) -> EnvelopeFields? {
        var scanner = EnvelopeScanner(depthLimit: depth)
        return scanner.hasFinished(bytes) ? scanner.fields : nil
    }

    /// What was found before the scanner gave up: the id of a broken envelope, with luck.
    static func salvage(_ bytes: Span<UInt8>, depth: Int) -> EnvelopeFields {
        var scanner = EnvelopeScanner(depthLimit: depth)
        _ = scanner.hasFinished(bytes)
        return scanner.fields
    }

    private mutating func hasFinished(_ bytes: Span<UInt8>) -> Bool {
        do throws(Unexpected) {
            try envelope(bytes)
            return true
        } catch {
            return false
        }
    }

    private init(depthLimit: Int) {
        self.depthLimit = min(depthLimit, JSONParser.maximumDepth)
        names = .wire
    }

    // MARK: Objects

    private mutating func envelope(_ bytes: Span<UInt8>) throws(Unexpected) {
        try open(bytes, depth: 0)
        var hasHeaders = false
        var hasProperties = false
        while let key = try nextKey(bytes) {
            if key == names.headers, !hasHeaders {
                hasHeaders = true
                try headers(bytes)
            } else if key == names.properties, !hasProperties {
                hasProperties = true
                try properties(bytes)
            } else if key == names.body, fields.body.text == nil {
                fields.body.text = try text(bytes)
            } else if key == names.contentType {
                fields.body.contentType = try first(bytes, fields.body.contentType)
            } else if key == names.contentEncoding {
                fields.body.contentEncoding = try first(bytes, fields.body.contentEncoding)
            } else if key == names.headers || key == names.properties || key == names.body {
                throw Unexpected()
            } else {
                try skip(bytes, depth: 1)
            }
        }
        while position < bytes.count, bytes[position].isJSONSpace { position += 1 }
        guard position == bytes.count else { throw Unexpected() }
    }

    private mutating func headers(_ bytes: Span<UInt8>) throws(Unexpected) {
        try open(bytes, depth: 1)
        while let key = try nextKey(bytes) {
            if key == names.task {
                fields.task = try first(bytes, fields.task)
            } else if key == names.id {
                fields.id = try first(bytes, fields.id)
            } else if key == names.eta {
                fields.eta = try first(bytes, fields.eta)
            } else if key == names.expires {
                fields.expires = try first(bytes, fields.expires)
            } else if key == names.group {
                fields.group = try first(bytes, fields.group)
            } else if key == names.retries {
                fields.retries = try first(bytes, fields.retries)
            } else if key == names.timelimit {
                fields.timelimit = try first(bytes, fields.timelimit)
            } else if key == names.rootID {
                fields.rootID = try first(bytes, fields.rootID)
            } else if key == names.parentID {
                fields.parentID = try first(bytes, fields.parentID)
            } else if key == names.ignoreResult {
                fields.ignoreResult = try first(bytes, fields.ignoreResult)
            } else if key == names.redelivered {
                fields.redelivered = try first(bytes, fields.redelivered)
            } else if key == names.deaths {
                fields.deaths = try first(bytes, fields.deaths)
            } else if key == names.compression {
                fields.body.compression = try first(bytes, fields.body.compression)
            } else if key.isCut {
                try longHeader(key, bytes)
            } else {
                try skip(bytes, depth: 2)
            }
        }
    }

    private mutating func longHeader(
        _ key: PackedName, _ bytes: Span<UInt8>
    ) throws(Unexpected) {
        if key == names.tickEntry, isLastKey(TickHeaders.entry, bytes) {
            fields.tickEntry = try first(bytes, fields.tickEntry)
        } else if key == names.tickDueAt, isLastKey(TickHeaders.dueAt, bytes) {
            fields.tickDueAt = try first(bytes, fields.tickDueAt)
        } else {
            try skip(bytes, depth: 2)
        }
    }

    /// Whether the key taken last is `name`, of which it has the length.
    private func isLastKey(_ name: String, _ bytes: Span<UInt8>) -> Bool {
        var end = position - 1  // the colon
        while bytes[end] != UInt8(ascii: "\"") { end -= 1 }
        return bytes.end(ofWord: name, at: end - name.utf8.count) == end
    }

    private mutating func properties(_ bytes: Span<UInt8>) throws(Unexpected) {
        try open(bytes, depth: 1)
        while let key = try nextKey(bytes) {
            if key == names.priority {
                fields.priority = try first(bytes, fields.priority)
            } else if key == names.bodyEncoding {
                fields.body.encoding = try first(bytes, fields.body.encoding)
            } else {
                try skip(bytes, depth: 2)
            }
        }
    }

    // MARK: Wanted values

    /// The value at hand, as ``JSONParser`` would read it; gives up when there was one before.
    private mutating func first(
        _ bytes: Span<UInt8>, _ before: JSONValue?
    ) throws(Unexpected) -> JSONValue {
        guard before == nil else { throw Unexpected() }
        let letter = try peek(bytes)
        let start = position
        let hasEscape = try skip(bytes, depth: 2)
        switch letter {
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "t"): return .bool(true)
        case UInt8(ascii: "f"): return .bool(false)
        case UInt8(ascii: "\"") where !hasEscape: return string(bytes, start + 1..<position - 1)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            let text = bytes.extracting(start..<position).asciiText()
            return .number(JSONNumber(text: text))
        default: return try parsed(bytes, start..<position)
        }
    }

    private func parsed(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(Unexpected) -> JSONValue {
        do throws(JSONError) {
            // One level is left for the list of time limits; no wanted value is deeper.
            return try JSONParser.parse(bytes.extracting(range), depth: depthLimit - 2).0
        } catch {
            throw Unexpected()
        }
    }

    /// A string without escapes; the commonest cost no allocation.
    private func string(_ bytes: Span<UInt8>, _ range: Range<Int>) -> JSONValue {
        let text = bytes.extracting(range)
        if case .string(let id)? = fields.id, text.end(ofWord: id, at: 0) == text.count {
            return .string(id)
        }
        let json = EncodedBody.jsonContentType
        if text.end(ofWord: json, at: 0) == text.count { return .string(json) }
        return .string(text.asciiText())
    }

    /// The body, left where it is when it has no escapes.
    private mutating func text(_ bytes: Span<UInt8>) throws(Unexpected) -> EncodedBody.Text {
        let first = try peek(bytes)
        let start = position
        let hasEscape = try skip(bytes, depth: 1)
        if first == UInt8(ascii: "\""), !hasEscape { return .range(start + 1..<position - 1) }
        return .value(try parsed(bytes, start..<position))
    }

    // MARK: The grammar

    private mutating func peek(_ bytes: Span<UInt8>) throws(Unexpected) -> UInt8 {
        while position < bytes.count {
            let byte = bytes[position]
            if !byte.isJSONSpace { return byte }
            position += 1
        }
        throw Unexpected()
    }

    private mutating func open(_ bytes: Span<UInt8>, depth: Int) throws(Unexpected) {
        guard try peek(bytes) == UInt8(ascii: "{"), depth < depthLimit else { throw Unexpected() }
        position += 1
    }

    /// The next key of the object that was opened last, its colon taken; `nil` at its end, taken.
    private mutating func nextKey(_ bytes: Span<UInt8>) throws(Unexpected) -> PackedName? {
        let isFirst = bytes[position - 1] == UInt8(ascii: "{")
        var byte = try peek(bytes)
        if byte == UInt8(ascii: "}") {
            position += 1
            return nil
        }
        if !isFirst {
            guard byte == UInt8(ascii: ",") else { throw Unexpected() }
            position += 1
            byte = try peek(bytes)
        }
        guard byte == UInt8(ascii: "\"") else { throw Unexpected() }
        position += 1
        var name = PackedName()
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") {
                guard try peek(bytes) == UInt8(ascii: ":") else { throw Unexpected() }
                position += 1
                return name
            }
            guard byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\\") else { break }
            name.append(byte)
        }
        throw Unexpected()
    }

    /// Passes over one value and says whether it is a string with an escape.
    @discardableResult
    private mutating func skip(_ bytes: Span<UInt8>, depth: Int) throws(Unexpected) -> Bool {
        let byte = try peek(bytes)
        var end: Int?
        switch byte {
        case UInt8(ascii: "\""): return try skipString(bytes)
        case UInt8(ascii: "n"): end = bytes.end(ofWord: "null", at: position)
        case UInt8(ascii: "t"): end = bytes.end(ofWord: "true", at: position)
        case UInt8(ascii: "f"): end = bytes.end(ofWord: "false", at: position)
        case UInt8(ascii: "{"):
            try open(bytes, depth: depth)
            while try nextKey(bytes) != nil { try skip(bytes, depth: depth + 1) }
            return false
        case UInt8(ascii: "["):
            try skipList(bytes, depth: depth)
            return false
        default: end = bytes.endOfNumber(at: position)
        }
        guard let end else { throw Unexpected() }
        position = end
        return false
    }

    private mutating func skipList(_ bytes: Span<UInt8>, depth: Int) throws(Unexpected) {
        guard depth < depthLimit else { throw Unexpected() }
        position += 1
        if try peek(bytes) == UInt8(ascii: "]") {
            position += 1
            return
        }
        while true {
            try skip(bytes, depth: depth + 1)
            let byte = try peek(bytes)
            position += 1
            if byte == UInt8(ascii: "]") { return }
            guard byte == UInt8(ascii: ",") else { throw Unexpected() }
        }
    }

    private mutating func skipString(_ bytes: Span<UInt8>) throws(Unexpected) -> Bool {
        var hasEscape = false
        var place = position + 1
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                position = place + 1
                return hasEscape
            case UInt8(ascii: "\\"):
                guard let (scalar, end) = bytes.escape(at: place), scalar != nil else {
                    throw Unexpected()
                }
                hasEscape = true
                place = end
            case 0x20..<0x80: place += 1
            default: throw Unexpected()
            }
        }
        throw Unexpected()
    }
}
