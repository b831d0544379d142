package import JobModel

/// What remote control needs of the process around the worker.
///
/// Every closure may be called from any thread and must be brief.
package struct ControlPorts: Sendable {
    /// The clock of the process: it takes what requests carry, and gives what answers carry.
    package var clock = LogicalClock()
    /// The settings in force, secrets masked; with the defaults or only what was set.
    package var conf: @Sendable (_ withDefaults: Bool) -> JSONObject = { _ in JSONObject() }
    /// What software this is and how it is set, for people.
    package var report: @Sendable () -> String = { "" }
    /// Where the broker is, as `stats` shows it.
    package var brokerInfo = JSONObject()
    /// What the process has used, as `stats` shows it.
    package var rusage: @Sendable () -> JSONObject = { JSONObject() }
    /// Memory that the process occupies, bytes.
    package var residentBytes: @Sendable () -> Int? = { nil }
    /// Who sends events, if anybody does.
    package var events: (any EventSwitch)?
    /// Sends a heartbeat now.
    package var heartbeat: @Sendable () -> Void = {}

    package init() {}
}
