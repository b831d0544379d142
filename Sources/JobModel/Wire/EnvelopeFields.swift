/// The parts of an envelope that a worker needs, as they were found and not yet judged.
///
/// There are two ways to find them: ``EnvelopeScanner`` in one pass over the bytes, and the whole
/// JSON value; both must find the same.
struct EnvelopeFields: Equatable {
    // Headers; `nil` means that there is no such key.
    var task: JSONValue?
    var id: JSONValue?
    var retries: JSONValue?
    var eta: JSONValue?
    var expires: JSONValue?
    var timelimit: JSONValue?
    var ignoreResult: JSONValue?
    var rootID: JSONValue?
    var parentID: JSONValue?
    var group: JSONValue?
    var redelivered: JSONValue?
    var deaths: JSONValue?
    var tickEntry: JSONValue?
    var tickDueAt: JSONValue?
    // Properties
    var priority: JSONValue?
    /// What the body needs to be decoded.
    var body = EncodedBody()

    init() {}

    /// Picks the fields out of a whole envelope.
    ///
    /// - Throws: `envelope.shape` when it or its headers or properties are no objects.
    init(_ envelope: JSONValue) throws(MessageError) {
        guard case .object(let root) = envelope else {
            throw Self.shape("the envelope", envelope)
        }
        let headers = try Self.object("headers", of: root)
        let properties = try Self.object("properties", of: root)
        task = headers["task"]
        id = headers["id"]
        retries = headers["retries"]
        eta = headers["eta"]
        expires = headers["expires"]
        timelimit = headers["timelimit"]
        ignoreResult = headers["ignore_result"]
        rootID = headers["root_id"]
        parentID = headers["parent_id"]
        group = headers["group"]
        redelivered = headers["redelivered"]
        deaths = headers[JobMessage.deathsHeader]
        tickEntry = headers[TickHeaders.entry]
        tickDueAt = headers[TickHeaders.dueAt]
        priority = properties["priority"]
        body.text = root["body"].map(EncodedBody.Text.value)
        body.contentType = root["content-type"]
        body.contentEncoding = root["content-encoding"]
        body.compression = headers["compression"]
        body.encoding = properties["body_encoding"]
    }

    /// A part of the envelope; absent and null ones count as empty, as protocol 1 has no headers.
    private static func object(_ key: String, of root: JSONObject) throws(MessageError)
        -> JSONObject
    {
        switch root[key] {
        case nil, .null?: return JSONObject()
        case .object(let members)?: return members
        case let other?: throw shape("\"\(key)\"", other)
        }
    }

    private static func shape(_ what: String, _ value: JSONValue) -> MessageError {
        MessageError(
            code: "envelope.shape", message: "\(what) must be an object, not \(value.kind)")
    }
}
