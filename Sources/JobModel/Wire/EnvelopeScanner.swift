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
                try set(\.body.contentType, bytes)
            } else if key == names.contentEncoding {
                try set(\.body.contentEncoding, bytes)
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
                try set(\.task, bytes)
            } else if key == names.id {
                try set(\.id, bytes)
            } else if key == names.eta {
                try set(\.eta, bytes)
            } else if key == names.expires {
                try set(\.expires, bytes)
            } else if key == names.group {
                try set(\.group, bytes)
            } else if key == names.retries {
                try set(\.retries, bytes)
            } else if key == names.timelimit {
                try set(\.timelimit, bytes)
            } else if key == names.rootID {
                try set(\.rootID, bytes)
            } else if key == names.parentID {
                try set(\.parentID, bytes)
            } else if key == names.ignoreResult {
                try set(\.ignoreResult, bytes)
            } else if key == names.compression {
                try set(\.body.compression, bytes)
            } else {
                try skip(bytes, depth: 2)
            }
        }
    }

    private mutating func properties(_ bytes: Span<UInt8>) throws(Unexpected) {
        try open(bytes, depth: 1)
        while let key = try nextKey(bytes) {
            if key == names.priority {
                try set(\.priority, bytes)
            } else if key == names.bodyEncoding {
                try set(\.body.encoding, bytes)
            } else {
                try skip(bytes, depth: 2)
            }
        }
    }

    // MARK: Wanted values

    private mutating func set(
        _ field: WritableKeyPath<EnvelopeFields, JSONValue?>, _ bytes: Span<UInt8>
    ) throws(Unexpected) {
        guard fields[keyPath: field] == nil else { throw Unexpected() }
        fields[keyPath: field] = try value(bytes)
    }

    /// The value at hand, as ``JSONParser`` would read it.
    private mutating func value(_ bytes: Span<UInt8>) throws(Unexpected) -> JSONValue {
        let first = try peek(bytes)
        let start = position
        let hasEscape = try skip(bytes, depth: 2)
        if first == UInt8(ascii: "n") { return .null }
        if first == UInt8(ascii: "\""), !hasEscape {
            return string(bytes, start + 1..<position - 1)
        }
        return try parsed(bytes, start..<position)
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
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") {
                position = place + 1
                return hasEscape
            }
            if byte == UInt8(ascii: "\\") {
                guard let (scalar, end) = bytes.escape(at: place), scalar != nil else { break }
                hasEscape = true
                place = end
                continue
            }
            guard byte >= 0x20, byte < 0x80 else { break }
            place += 1
        }
        throw Unexpected()
    }
}

/// A key of at most sixteen bytes in one machine integer, so that comparing keys is one step.
struct PackedName: Equatable {
    private var bytes: UInt128 = 0
    private var count = 0

    init() {}

    init(_ name: String) { for byte in name.utf8 { append(byte) } }

    /// Longer names stay unequal to all that are wanted: their count says so.
    mutating func append(_ byte: UInt8) {
        bytes = bytes << 8 | UInt128(byte)
        count += 1
    }
}

/// The keys that the scanner looks for.
private struct EnvelopeNames {
    static let wire = EnvelopeNames()

    let headers = PackedName("headers")
    let properties = PackedName("properties")
    let body = PackedName("body")
    let contentType = PackedName("content-type")
    let contentEncoding = PackedName("content-encoding")
    let task = PackedName("task")
    let id = PackedName("id")
    let retries = PackedName("retries")
    let eta = PackedName("eta")
    let expires = PackedName("expires")
    let timelimit = PackedName("timelimit")
    let ignoreResult = PackedName("ignore_result")
    let rootID = PackedName("root_id")
    let parentID = PackedName("parent_id")
    let group = PackedName("group")
    let compression = PackedName("compression")
    let priority = PackedName("priority")
    let bodyEncoding = PackedName("body_encoding")
}
