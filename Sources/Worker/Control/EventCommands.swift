import JobModel

/// Commands about what the worker tells monitors and its peers.
enum EventCommands {
    static let all: [ControlCommand] = [
        .change("enable_events") { _, site in try switchEvents(on: true, at: site) },
        .change("disable_events") { _, site in try switchEvents(on: false, at: site) },
        .inspect("heartbeat") { _, site in
            site.ports.heartbeat()
            return JSONValue.null
        },
        // Answered among the events, once the candidates have called: see ElectionVoter.
        .inspect("election") { _, _ in JSONValue.null },
    ]

    private static func switchEvents(
        on isOn: Bool, at site: ControlSite
    ) throws(ControlFailure) -> JSONValue {
        guard let events = site.ports.events else {
            throw ControlFailure("NotImplementedError", "this worker sends no events")
        }
        let isNew = events.set(isOn)
        return .ok("task events \(isNew ? "" : "already ")\(isOn ? "enabled" : "disabled")")
    }
}
