package import Foundation

extension JobMessage {
    /// How many entries of the error history a message carries; the oldest are dropped.
    package static let maximumErrors = 25
    /// The header that carries the error history.
    package static let errorsHeader = "backhaul_errors"
    /// The header that names the workers that died holding the message.
    package static let deathsHeader = "backhaul_deaths"
    /// How many of them are kept; the oldest are dropped.
    package static let maximumDeaths = 100

    /// The envelope for the next attempt.
    ///
    /// `retries`, `eta` and the error history change; every other header and property stays. On a
    /// retry that counts the parent becomes the job itself, as in Celery.
    ///
    /// - Parameters:
    ///   - retries: the new count; the attempt counts when it is greater than the present one.
    ///   - eta: when the attempt is due; `nil` for at once.
    ///   - failure: what to add to the error history, if anything.
    ///   - change: other arguments or another expiry for the next attempt.
    ///   - limits: what a body may be, when its arguments change.
    ///   - now: the time written beside it.
    /// - Returns: the envelope, as JSON in ASCII.
    /// - Throws: `envelope.*`, which cannot happen to a message that was decoded.
    package func retried(
        retries: Int, eta: Date?, adding failure: FailureReport?,
        changing change: RetryChange = RetryChange(), limits: WireLimits = WireLimits(),
        at now: Date
    ) throws(MessageError) -> [UInt8] {
        var root = try envelope()
        if protocolOneBody == nil, change.args != nil || change.kwargs != nil {
            let old = try body(limits: limits)
            try replace(
                MessageBody(
                    args: change.args ?? old.args, kwargs: change.kwargs ?? old.kwargs,
                    embed: old.embed), in: &root)
        }
        let eta = eta.map { JSONValue.string(WireDate.text($0)) } ?? .null
        var headers = root["headers"]?.objectValue ?? JSONObject()
        if protocolOneBody == nil {
            headers["retries"] = .number(JSONNumber(retries))
            headers["eta"] = eta
            if retries > self.retries { headers["parent_id"] = .string(id.text) }
            if let expires = change.expires { headers["expires"] = .string(WireDate.text(expires)) }
        }
        if let failure {
            let entry: JSONValue = [
                "at": .string(WireDate.text(now)),
                "attempt": .number(JSONNumber(self.retries + 1)),
                "code": .string(failure.code), "type": .string(failure.type),
                "message": .string(failure.message),
            ]
            let errors = (headers[Self.errorsHeader]?.arrayValue ?? []) + [entry]
            headers[Self.errorsHeader] = .array(errors.suffix(Self.maximumErrors))
        }
        root["headers"] = .object(headers)
        if protocolOneBody != nil {
            var body = try encodedBody.json(in: raw, limits: Self.unlimited)
            if case .object(var members) = body {
                if let args = change.args { members["args"] = .array(args) }
                if let kwargs = change.kwargs { members["kwargs"] = .object(kwargs) }
                if let expires = change.expires {
                    members["expires"] = .string(WireDate.text(expires))
                }
                body = .object(members)
            }
            ProtocolOne.edit(&root, body: body, retries: retries, eta: eta)
        }
        return JSONValue.object(root).encoded(.python)
    }

    /// The same envelope, marked as delivered before (headers and delivery_info), and with the death
    /// of the worker that held it, if one is to be counted.
    ///
    /// - Throws: `envelope.*`, which cannot happen to a message that was decoded.
    package func redelivered(
        countingDeathOf worker: String? = nil
    ) throws(MessageError) -> [UInt8] {
        var root = try envelope()
        if var headers = root["headers"]?.objectValue {
            headers["redelivered"] = true
            if let worker {
                let dead = (deaths + [worker]).suffix(Self.maximumDeaths)
                headers[Self.deathsHeader] = .array(dead.map(JSONValue.string))
            }
            root["headers"] = .object(headers)
        }
        if var properties = root["properties"]?.objectValue,
            var delivery = properties["delivery_info"]?.objectValue
        {
            delivery["redelivered"] = true
            properties["delivery_info"] = .object(delivery)
            root["properties"] = .object(properties)
        }
        return JSONValue.object(root).encoded(.python)
    }

    /// Earlier failures carried by the message, oldest first.
    package func errorHistory() -> [JSONValue] {
        guard let root = try? envelope() else { return [] }
        return root["headers"]?[Self.errorsHeader]?.arrayValue ?? []
    }

    /// The message passed its limits when it was decoded.
    static var unlimited: WireLimits {
        var limits = WireLimits()
        limits.depth = JSONParser.maximumDepth
        limits.bodyBytes = .max
        return limits
    }

    func envelope() throws(MessageError) -> JSONObject {
        do throws(JSONError) {
            let bytes = raw
            let value = try JSONParser.parse(bytes.span, depth: JSONParser.maximumDepth).0
            return value.objectValue ?? JSONObject()
        } catch {
            throw MessageError(error, in: "envelope", id: id.text, name: name.text)
        }
    }
}
