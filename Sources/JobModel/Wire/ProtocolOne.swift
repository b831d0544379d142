/// Celery's message protocol 1, in which the body holds what headers hold now.
///
/// Never sent by default since Celery 4; workers still accept it.
struct ProtocolOne {
    /// Arguments and callbacks.
    let body: MessageBody
    /// The fields of the message, taken from its body.
    let fields: EnvelopeFields

    /// Reads the body of an envelope without the header `task`.
    ///
    /// - Throws: `header.task` when the body is not a task either, else `body.*`.
    init(_ envelope: EnvelopeFields, raw: [UInt8], limits: WireLimits) throws(MessageError) {
        let id = envelope.readableID
        guard case .object(let body)? = try? envelope.body.json(in: raw, limits: limits),
            body["task"] != nil
        else {
            throw MessageError(
                code: "header.task",
                message: "the header \"task\" is missing, and the body is no task of protocol 1",
                id: id)
        }
        var fields = envelope
        fields.task = body["task"]
        fields.id = body["id"]
        fields.retries = body["retries"]
        fields.eta = body["eta"]
        fields.expires = body["expires"]
        fields.timelimit = body["timelimit"]
        fields.group = Self.given(body["taskset"]) ?? Self.given(body["group"])
        self.fields = fields
        do throws(MessageError) {
            self.body = try MessageBody(
                args: body["args"] ?? [], kwargs: body["kwargs"] ?? [:],
                embed: .object(Self.embed(body)))
        } catch {
            throw error.about(id: fields.readableID, name: fields.readableName)
        }
    }

    private static func given(_ value: JSONValue?) -> JSONValue? {
        guard let value, !value.isNull else { return nil }
        return value
    }

    /// The canvas parts under their names of protocol 2; chains were nested callbacks.
    private static func embed(_ body: JSONObject) -> JSONObject {
        var embed = JSONObject()
        for key in ["callbacks", "errbacks", "chord"] { embed[key] = given(body[key]) }
        return embed
    }

    /// The envelope with another retry count and eta in its body.
    static func edit(
        _ root: inout JSONObject, body: JSONValue, retries: Int, eta: JSONValue
    ) {
        guard case .object(var members) = body else { return }
        members["retries"] = .number(JSONNumber(retries))
        members["eta"] = eta
        let bytes = JSONValue.object(members).encoded(.python)
        let isBase64 = root["properties"]?["body_encoding"] == "base64"
        root["body"] = .string(
            isBase64 ? Base64.encoded(bytes) : String(decoding: bytes, as: UTF8.self))
        if case .object(var headers)? = root["headers"] {
            headers["compression"] = nil
            root["headers"] = .object(headers)
        }
    }
}
