/// Whether monitors are told of jobs; switched while the worker runs.
package protocol EventSwitch: Sendable {
    /// Whether they are.
    var isEnabled: Bool { get }

    /// Switches it on or off; true when that changed something.
    func set(_ isOn: Bool) -> Bool
}
