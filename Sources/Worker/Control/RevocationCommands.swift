import Broker
import JobModel

/// Commands that keep jobs from running, or end them.
enum RevocationCommands {
    /// The most ids or stamps in one request.
    private static let maximumNamed = 50_000
    /// The longest id, in bytes, as on the wire.
    private static let maximumIDBytes = 255

    static let all: [ControlCommand] = [
        .change("revoke") { arguments, site in
            try await revoke(
                arguments, terminating: arguments.flag("terminate"), at: site)
        },
        .change("terminate") { arguments, site in
            try await revoke(arguments, terminating: true, at: site)
        },
        .change("revoke_by_stamped_headers") { arguments, site in
            try await revokeStamped(arguments, at: site)
        },
    ]

    private static func revoke(
        _ arguments: ControlArguments, terminating: Bool, at site: ControlSite
    ) async throws -> JSONValue {
        let texts = try arguments.texts(try arguments.required("task_id", "task_ids"))
        if terminating { try checkSignal(arguments) }
        guard texts.count <= maximumNamed else {
            throw ControlFailure("ValueError", "at most \(maximumNamed) ids at a time")
        }
        guard texts.allSatisfy({ (1...maximumIDBytes).contains($0.utf8.count) }) else {
            throw ControlFailure("ValueError", "an id has 1 to \(maximumIDBytes) bytes")
        }
        var seen: Set<String> = []
        let names = texts.filter { seen.insert($0).inserted }
        let ids = names.map { JobID($0) }
        let all = Set(ids)
        // First of all here, so that the next command finds it so.
        site.cancellations.add(revoked: ids, terminating: terminating)
        let running = Set(site.runs.glimpses.lazy.map(\.message.id).filter(all.contains))
        if terminating { site.runs.cancel(all) }
        let ended = terminating ? held(all, running, at: site) : []
        try await site.broker.revoke(
            ids, terminating: terminating,
            storing: site.options.storesResults ? ids.filter { !running.contains($0) } : [])
        guard terminating else {
            return .ok("tasks \(names.pythonSetText) flagged as revoked")
        }
        return ended.isEmpty
            ? .ok("terminate: tasks unknown")
            : .ok("terminate: \(ended.map(\.text).joined(separator: ", "))")
    }

    /// Those of `ids` that run here or are held.
    private static func held(
        _ ids: Set<JobID>, _ running: Set<JobID>, at site: ControlSite
    ) -> [JobID] {
        let waiting = site.reserved.map(\.message.id).filter(ids.contains)
        return running.union(waiting).sorted { $0.text < $1.text }
    }

    /// A Swift job knows no signals: whichever is named asks it to end.
    private static func checkSignal(_ arguments: ControlArguments) throws(ControlFailure) {
        guard let value = arguments["signal"] else { return }
        if let number = value.intValue, (1...64).contains(number) { return }
        let name = value.stringValue?.uppercased() ?? ""
        let known = ["TERM", "KILL", "INT", "QUIT", "HUP", "USR1", "USR2", "ABRT", "ALRM"]
        guard known.contains(name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name) else {
            throw ControlFailure("ValueError", "there is no signal of that name")
        }
    }

    // MARK: Stamps

    private static func revokeStamped(
        _ arguments: ControlArguments, at site: ControlSite
    ) async throws -> JSONValue {
        let headers = try headers(try arguments.required("headers"))
        if arguments.flag("terminate") { try checkSignal(arguments) }
        let stamps = headers.flatMap { name, value in
            value.stampTexts.map { RevokedStamp(name: name, value: $0) }
        }
        guard stamps.count <= maximumNamed else {
            throw ControlFailure("ValueError", "at most \(maximumNamed) stamps at a time")
        }
        site.cancellations.add(stamps)
        let shown = JSONValue.object(headers).pythonText
        var ended: [JobID] = []
        if arguments.flag("terminate") {
            let revoked = RevokedStamps(stamps)
            ended = site.runs.cancel(where: revoked.match)
        }
        try await site.broker.revoke(stamps)
        guard arguments.flag("terminate") else {
            return .ok("headers \(shown) flagged as revoked, but not terminated")
        }
        return .ok(
            ended.isEmpty ? "headers \(shown) were not terminated" : "headers \(shown) revoked")
    }

    /// Names with their values: an object, or a list of `name=value` as the command line sends it.
    private static func headers(_ value: JSONValue) throws(ControlFailure) -> JSONObject {
        if let members = value.objectValue { return members }
        guard let items = value.arrayValue ?? value.stringValue.map({ [.string($0)] }) else {
            throw ControlFailure("TypeError", "headers must be an object or a list")
        }
        var headers = JSONObject()
        for item in items {
            let parts = item.stringValue?.split(separator: "=", maxSplits: 1) ?? []
            guard parts.count == 2 else {
                throw ControlFailure("ValueError", "a header is written name=value")
            }
            headers[String(parts[0])] = .string(String(parts[1]))
        }
        return headers
    }
}
