import Broker
import Foundation
import JobModel
import Logging

/// What commands look at and act on: the parts of one worker.
struct ControlSite: Sendable {
    let node: String
    let processID: Int32
    let startedAt: Date
    let broker: any Broker
    let registry: JobRegistry
    let kinds: JobKinds
    let options: WorkerOptions
    let runs: ActiveRuns
    let fetcher: Fetcher
    let lanes: LanePool
    let autoscaler: Autoscaler?
    let tuning: JobTuning
    let cancellations: CancellationWatch
    let presence: PresenceNote
    let ports: ControlPorts
    let time: any TimeSource
    let logger: Logger
    /// Lets the worker drain.
    let drain: @Sendable () -> Void
}
