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

    /// Reads `bytes` and says whether the envelope was an ordinary one.
    ///
    /// When it was not, `fields` is what was found before the scanner gave up.
    static func read(_ bytes: Span<UInt8>, depth: Int, into fields: inout EnvelopeFields) -> Bool {
        var scanner = EnvelopeScanner(depthLimit: depth)
        let hasFinished = scanner.hasFinished(bytes)
        // Taken, not copied: there are twenty of them.
        swap(&scanner.fields, &fields)
        return hasFinished
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
            // By length first: most keys are then told apart by one comparison.
            switch key.count {
            case 2 where key == names.id: fields.id = try first(bytes, fields.id)
            case 3 where key == names.eta: fields.eta = try first(bytes, fields.eta)
            case 4 where key == names.task: fields.task = try first(bytes, fields.task)
            case 5 where key == names.group: fields.group = try first(bytes, fields.group)
            case 7 where key == names.retries: fields.retries = try first(bytes, fields.retries)
            case 7 where key == names.expires: fields.expires = try first(bytes, fields.expires)
            case 7 where key == names.rootID: fields.rootID = try first(bytes, fields.rootID)
            case 9 where key == names.timelimit:
                fields.timelimit = try first(bytes, fields.timelimit)
            case 9 where key == names.parentID:
                fields.parentID = try first(bytes, fields.parentID)
            case 11 where key == names.redelivered:
                fields.redelivered = try first(bytes, fields.redelivered)
            case 11 where key == names.compression:
                fields.body.compression = try first(bytes, fields.body.compression)
            case 13 where key == names.ignoreResult:
                fields.ignoreResult = try first(bytes, fields.ignoreResult)
            case names.deaths.count where key == names.deaths:
                fields.deaths = try first(bytes, fields.deaths)
            case 17...: try longHeader(key, bytes)
            default: try skip(bytes, depth: 2)
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
        default:
            if bytes.extracting(start..<position).isWord(Self.noLimitsText) { return Self.noLimits }
            return try parsed(bytes, start..<position)
        }
    }

    /// The time limits of a message that has none, as Celery writes them.
    private static let noLimitsText = "[null, null]"
    private static let noLimits: JSONValue = [nil, nil]

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
        if case .string(let id)? = fields.id, text.isWord(id) { return .string(id) }
        let json = EncodedBody.jsonContentType
        if text.isWord(json) { return .string(json) }
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

    @inline(__always)
    private mutating func peek(_ bytes: Span<UInt8>) throws(Unexpected) -> UInt8 {
        // As Python writes it, there is no white space or one space.
        if position < bytes.count, bytes[position] == 0x20 { position += 1 }
        guard position < bytes.count else { throw Unexpected() }
        let byte = bytes[position]
        return byte > 0x20 ? byte : try peekBeyondSpace(bytes)
    }

    private mutating func peekBeyondSpace(_ bytes: Span<UInt8>) throws(Unexpected) -> UInt8 {
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
        if isNextAsPythonWrites(bytes) {
            position += 3
        } else if try isAtEndOfObject(bytes) {
            return nil
        }
        let start = position
        let end = bytes.endOfPlainText(from: start)
        guard end < bytes.count, bytes[end] == UInt8(ascii: "\"") else { throw Unexpected() }
        position = end + 1
        guard try peek(bytes) == UInt8(ascii: ":") else { throw Unexpected() }
        position += 1
        return name(bytes, start..<end)
    }

    /// Whether a key follows another by a comma, a space and its quote.
    @inline(__always)
    private func isNextAsPythonWrites(_ bytes: Span<UInt8>) -> Bool {
        let separator: UInt64 = 0x22_202c
        return position <= bytes.count - 8 && bytes.word(at: position) & 0xff_ffff == separator
            && bytes[position - 1] != UInt8(ascii: "{")
    }

    /// Takes all up to the quote of the next key, or the end of the object.
    private mutating func isAtEndOfObject(_ bytes: Span<UInt8>) throws(Unexpected) -> Bool {
        let isFirst = bytes[position - 1] == UInt8(ascii: "{")
        var byte = try peek(bytes)
        if byte == UInt8(ascii: "}") {
            position += 1
            return true
        }
        if !isFirst {
            guard byte == UInt8(ascii: ",") else { throw Unexpected() }
            position += 1
            byte = try peek(bytes)
        }
        guard byte == UInt8(ascii: "\"") else { throw Unexpected() }
        position += 1
        return false
    }

    private func name(_ bytes: Span<UInt8>, _ range: Range<Int>) -> PackedName {
        let start = range.lowerBound
        if start <= bytes.count - 16 {
            return PackedName(
                low: bytes.word(at: start), high: bytes.word(at: start + 8), count: range.count)
        }
        // So near the end there is no key that anybody wants, but for a very short envelope.
        return PackedName(bytes.extracting(range).asciiText())
    }

    /// Passes over one value and says whether it is a string with an escape.
    @discardableResult
    private mutating func skip(_ bytes: Span<UInt8>, depth: Int) throws(Unexpected) -> Bool {
        let byte = try peek(bytes)
        var end: Int?
        switch byte {
        case UInt8(ascii: "\""): return try skipString(bytes)
        case UInt8(ascii: "n"): end = bytes.endOfNull(at: position)
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
        var place = bytes.endOfPlainText(from: position + 1)
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
                place = bytes.endOfPlainText(from: end)
            default: throw Unexpected()
            }
        }
        throw Unexpected()
    }
}
