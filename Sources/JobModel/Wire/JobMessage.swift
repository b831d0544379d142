package import Foundation

/// What a worker must know of a Celery message before it runs it, and the bytes it came as.
///
/// Messages of protocol 1 become the same value. A class, because it is large, passed through many
/// hands and never changed.
///
/// Source: Celery's message protocol 2.
package final class JobMessage: Sendable {
    /// The envelope, byte for byte.
    package let raw: [UInt8]
    /// The task id.
    package let id: JobID
    /// The task name.
    package let name: JobName
    /// `headers.retries`: 0 on the first run.
    package let retries: Int
    /// Not to be run before.
    package let eta: Date?
    /// Not to be run after.
    package let expires: Date?
    /// `headers.timelimit` is [hard, soft], seconds.
    package let hardTimeLimit: Duration?
    /// The second of `headers.timelimit`.
    package let softTimeLimit: Duration?
    /// `properties.priority`, clamped; 0 when it is missing or no number.
    package let priority: Priority
    /// null on the wire means "as the job's policy says".
    package let ignoreResult: Bool?
    /// The first task of the workflow.
    package let rootID: String?
    /// The task that sent this one.
    package let parentID: String?
    /// The group, which is also the chord's id.
    package let groupID: String?
    /// Whether it was put back before: by a reaper, or by kombu.
    package let isRedelivered: Bool
    /// The workers that died while they held it, oldest first.
    package let deaths: [String]
    /// The tick that it was sent for, if a schedule sent it.
    package let tick: TickOrigin?

    /// The body, not yet decoded.
    let encodedBody: EncodedBody
    /// The body of protocol 1, which had to be decoded first.
    let protocolOneBody: MessageBody?

    /// Reads an envelope; the body is read by ``body(limits:)``.
    ///
    /// Takes about a microsecond when the envelope is an ordinary one.
    ///
    /// - Throws: `envelope.*` when it cannot be read at all, `header.*` when a field does not fit.
    package convenience init(decoding raw: [UInt8], limits: WireLimits) throws(MessageError) {
        try self.init(decoding: raw, limits: limits, scanning: true)
    }

    /// Reads an envelope, by the scanner first or only as a JSON value; the two must agree.
    convenience init(
        decoding raw: [UInt8], limits: WireLimits, scanning: Bool
    ) throws(MessageError) {
        guard raw.count <= limits.envelopeBytes else {
            throw MessageError(
                code: "envelope.too_large",
                message: "the envelope is larger than \(limits.envelopeBytes) bytes")
        }
        var fields = EnvelopeFields()
        if !scanning || !EnvelopeScanner.read(raw.span, depth: limits.depth, into: &fields) {
            fields = try Self.fields(parsing: raw, limits: limits)
        }
        if fields.task != nil {
            try self.init(raw: raw, fields: fields, protocolOneBody: nil)
        } else {
            let old = try ProtocolOne(fields, raw: raw, limits: limits)
            try self.init(raw: raw, fields: old.fields, protocolOneBody: old.body)
        }
    }

    private static func fields(
        parsing raw: [UInt8], limits: WireLimits
    ) throws(MessageError) -> EnvelopeFields {
        do throws(MessageError) {
            return try EnvelopeFields(try envelope(parsing: raw, limits: limits))
        } catch {
            // What was found before the scanner gave up: the id of a broken envelope, with luck.
            var found = EnvelopeFields()
            _ = EnvelopeScanner.read(raw.span, depth: limits.depth, into: &found)
            throw error.about(id: found.readableID, name: found.readableName)
        }
    }

    private static func envelope(
        parsing raw: [UInt8], limits: WireLimits
    ) throws(MessageError) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(raw.span, depth: limits.depth).0
        } catch {
            throw MessageError(error, in: "envelope")
        }
    }

    private init(
        raw: [UInt8], fields: EnvelopeFields, protocolOneBody: MessageBody?
    ) throws(MessageError) {
        self.raw = raw
        id = try fields.jobID()
        name = try fields.jobName()
        retries = try fields.retryCount()
        eta = try fields.date("eta", fields.eta)
        expires = try fields.date("expires", fields.expires)
        (hardTimeLimit, softTimeLimit) = try fields.timeLimits()
        priority = fields.jobPriority()
        ignoreResult = try fields.ignoresResult()
        rootID = try fields.text("root_id", fields.rootID)
        parentID = try fields.text("parent_id", fields.parentID)
        groupID = try fields.text("group", fields.group)
        isRedelivered = fields.isRedelivered()
        deaths = fields.deathNames()
        tick = fields.tickOrigin()
        encodedBody = fields.body
        self.protocolOneBody = protocolOneBody
    }

    /// Decodes the body: base64, decompression, JSON, shape.
    ///
    /// - Throws: `body.*`, with the id and name of this message.
    package func body(limits: WireLimits) throws(MessageError) -> MessageBody {
        if let protocolOneBody { return protocolOneBody }
        do throws(MessageError) {
            if let plain = encodedBody.plain(in: raw, limits: limits) { return plain }
            return try MessageBody(try encodedBody.json(in: raw, limits: limits))
        } catch {
            throw error.about(id: id.text, name: name.text)
        }
    }
}
