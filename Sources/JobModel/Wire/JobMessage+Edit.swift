package import Foundation

/// What an operator does to a message that waits in a grave.
extension JobMessage {
    /// The envelope as its job starts afresh: no retries counted, no eta, no deaths.
    ///
    /// The error history and every other header stay.
    ///
    /// - Parameters:
    ///   - keepsExpiry: false to let it run although its `expires` has passed.
    ///   - now: the present.
    /// - Returns: the envelope, as JSON in ASCII.
    /// - Throws: `envelope.*`, which cannot happen to a message that was decoded.
    package func afresh(keepsExpiry: Bool = true, at now: Date) throws(MessageError) -> [UInt8] {
        let again = try retried(retries: 0, eta: nil, adding: nil, at: now)
        var root = try Self.root(of: again, id: id, name: name)
        if var headers = root["headers"]?.objectValue {
            headers[Self.deathsHeader] = nil
            if !keepsExpiry, headers["expires"] != nil { headers["expires"] = .null }
            root["headers"] = .object(headers)
        }
        if !keepsExpiry, protocolOneBody != nil {
            try editProtocolOne(&root) { members in
                members["retries"] = 0
                members["eta"] = .null
                members["expires"] = .null
            }
        }
        return JSONValue.object(root).encoded(.python)
    }

    /// The same envelope with other arguments; the canvas parts of the body stay.
    ///
    /// The body is written as plain JSON, whatever it was before, and `argsrepr` and `kwargsrepr`
    /// follow.
    ///
    /// - Parameter body: what the message is to carry.
    /// - Returns: the envelope, as JSON in ASCII.
    /// - Throws: `envelope.*`, which cannot happen to a message that was decoded.
    package func replacing(_ body: MessageBody) throws(MessageError) -> [UInt8] {
        var root = try envelope()
        try replace(body, in: &root)
        return JSONValue.object(root).encoded(.python)
    }

    func replace(_ body: MessageBody, in root: inout JSONObject) throws(MessageError) {
        guard protocolOneBody == nil else {
            return try editProtocolOne(&root) { members in
                members["args"] = .array(body.args)
                members["kwargs"] = .object(body.kwargs)
            }
        }
        let text = JSONValue.array([.array(body.args), .object(body.kwargs), .object(body.embed)])
            .encoded(.python)
        let isBase64 = root["properties"]?["body_encoding"] == "base64"
        root["body"] = .string(
            isBase64 ? Base64.encoded(text) : String(decoding: text, as: UTF8.self))
        root["content-type"] = .string(EncodedBody.jsonContentType)
        root["content-encoding"] = "utf-8"
        var headers = root["headers"]?.objectValue ?? JSONObject()
        headers["compression"] = nil
        headers["argsrepr"] = .string(PythonRepr.tuple(body.args))
        headers["kwargsrepr"] = .string(PythonRepr.dictionary(body.kwargs))
        root["headers"] = .object(headers)
    }

    /// The headers in their order; none for a message of protocol 1.
    package func headerFields() -> JSONObject {
        guard let root = try? envelope() else { return JSONObject() }
        return root["headers"]?.objectValue ?? JSONObject()
    }

    private func editProtocolOne(
        _ root: inout JSONObject, _ change: (inout JSONObject) -> Void
    ) throws(MessageError) {
        let body = try encodedBody.json(in: raw, limits: Self.unlimited)
        guard case .object(var members) = body else { return }
        change(&members)
        let bytes = JSONValue.object(members).encoded(.python)
        let isBase64 = root["properties"]?["body_encoding"] == "base64"
        root["body"] = .string(
            isBase64 ? Base64.encoded(bytes) : String(decoding: bytes, as: UTF8.self))
        if case .object(var headers)? = root["headers"] {
            headers["compression"] = nil
            root["headers"] = .object(headers)
        }
    }

    private static func root(
        of bytes: [UInt8], id: JobID, name: JobName
    ) throws(MessageError) -> JSONObject {
        do throws(JSONError) {
            let value = try JSONParser.parse(bytes.span, depth: JSONParser.maximumDepth).0
            return value.objectValue ?? JSONObject()
        } catch {
            throw MessageError(error, in: "envelope", id: id.text, name: name.text)
        }
    }
}
