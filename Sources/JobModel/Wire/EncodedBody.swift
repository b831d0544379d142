private import Zlib

/// A body as it stands in its envelope, with all that is needed to decode it.
struct EncodedBody: Sendable, Equatable {
    /// Where the text of the body is.
    enum Text: Sendable, Equatable {
        /// Between these bytes of the envelope, without escapes.
        case range(Range<Int>)
        /// Taken out of the envelope.
        case value(JSONValue)
    }

    /// The only content type that is decoded.
    static let jsonContentType = "application/json"

    var text: Text?
    var contentType: JSONValue?
    var contentEncoding: JSONValue?
    var compression: JSONValue?
    var encoding: JSONValue?

    /// Decodes the body, which may be a part of `raw`: base64, decompression, JSON, kombu's types.
    ///
    /// - Throws: `body.*`; without id and name.
    func json(in raw: [UInt8], limits: WireLimits) throws(MessageError) -> JSONValue {
        try checkContent()
        let bytes = try decompressed(try decoded(raw), limits: limits)
        guard bytes.count <= limits.bodyBytes else { throw Self.tooLarge(limits) }
        let value: JSONValue
        let mayHoldTypes: Bool
        do throws(JSONError) {
            (value, mayHoldTypes) = try JSONParser.parse(bytes.span, depth: limits.depth)
        } catch {
            throw MessageError(error, in: "body")
        }
        guard mayHoldTypes else { return value }
        do throws(JSONProblem) {
            try TypedForm.check(value)
        } catch {
            throw MessageError(
                code: "body.type", message: "a value in the body \(error.message)")
        }
        return value
    }

    /// How Celery ends the body of a job that is part of no workflow.
    private static let plainEnding = Array(
        #", {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#.utf8)
    private static let plainEmbed: JSONObject = [
        "callbacks": nil, "errbacks": nil, "chain": nil, "chord": nil,
    ]
    /// The most letters of base64 that are decoded without taking memory.
    private static let shortText = 1024

    /// The body when it is of the commonest kind: short, of a job that is part of no workflow.
    ///
    /// It costs no more memory than its arguments. `nil` for every other, good or bad: ``json(in:limits:)``
    /// reads it.
    func plain(in raw: [UInt8], limits: WireLimits) -> MessageBody? {
        guard case .range(let range)? = text, range.count <= Self.shortText, limits.depth > 2,
            range.count <= limits.bodyBytes, compression?.isNull ?? true,
            encoding?.stringValue == "base64", (try? checkContent()) != nil
        else { return nil }
        var room = InlineArray<768, UInt8>(repeating: 0)
        var bytes = room.mutableSpan
        guard let count = Base64.decode(raw.span.extracting(range), into: &bytes) else {
            return nil
        }
        return plain(room.span.extracting(first: count), depth: limits.depth)
    }

    private func plain(_ bytes: Span<UInt8>, depth: Int) -> MessageBody? {
        guard let (args, kwargs, end) = JSONParser.firstTwo(bytes, depth: depth),
            bytes.count - end == Self.plainEnding.count, bytes.has(Self.plainEnding.span, at: end),
            case .array(let args) = args, case .object(let kwargs) = kwargs
        else { return nil }
        return MessageBody(args: args, kwargs: kwargs, embed: Self.plainEmbed)
    }

    /// JSON in UTF-8 is decoded; everything else, pickle first, is never looked at.
    private func checkContent() throws(MessageError) {
        guard contentType?.stringValue == Self.jsonContentType else {
            throw MessageError(
                code: "body.content_type",
                message: "the content type is not \(Self.jsonContentType)")
        }
        switch contentEncoding {
        case nil, .null?: return
        case .string(let name)?:
            // As nearly everybody writes it.
            if name == "utf-8" { return }
            let known = ["utf-8", "utf8", "us-ascii", "ascii", "binary"]
            if known.contains(name.lowercased()) { return }
        default: break
        }
        throw MessageError(
            code: "body.content_encoding", message: "the content encoding is not utf-8")
    }

    private func decoded(_ raw: [UInt8]) throws(MessageError) -> [UInt8] {
        let isBase64 = encoding?.stringValue == "base64"
        let bytes: [UInt8]?
        switch text {
        case .range(let range)?:
            bytes = isBase64 ? Base64.decoded(raw.span.extracting(range)) : Array(raw[range])
        case .value(.string(let text))?:
            bytes = isBase64 ? Base64.decoded(text.utf8.span) : Array(text.utf8)
        case .value(let other)?:
            throw MessageError(
                code: "body.shape", message: "\"body\" must be a string, not \(other.kind)")
        case nil:
            throw MessageError(code: "body.missing", message: "the envelope has no \"body\"")
        }
        guard let bytes else {
            throw MessageError(code: "body.base64", message: "the body is not base64")
        }
        return bytes
    }

    private func decompressed(
        _ bytes: [UInt8], limits: WireLimits
    ) throws(MessageError) -> [UInt8] {
        switch compression {
        case nil, .null?: return bytes
        // Celery names gzip and sends zlib streams.
        case "application/x-gzip"?, "gzip"?, "zlib"?: break
        default:
            throw MessageError(
                code: "body.compression",
                message: "the body is compressed by a method other than zlib and gzip")
        }
        do throws(ZlibError) {
            return try Compression.inflated(bytes, limit: limits.bodyBytes)
        } catch {
            if error.code == .tooLarge { throw Self.tooLarge(limits) }
            throw MessageError(
                code: "body.compression", message: "the body cannot be decompressed: \(error)")
        }
    }

    private static func tooLarge(_ limits: WireLimits) -> MessageError {
        MessageError(
            code: "body.too_large", message: "the body is larger than \(limits.bodyBytes) bytes")
    }
}
