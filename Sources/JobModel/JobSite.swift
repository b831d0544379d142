package import Logging
import Mailbox

/// What all runs of one worker have in common.
package final class JobSite: Sendable {
    /// Tells whoever waits for the result of a run how the job stands.
    package typealias StateReport =
        @Sendable (_ scope: JobScope, _ state: String, _ meta: JSONValue) async throws -> Void

    /// What is known of the jobs that workflows send.
    package let rules: CanvasRules
    package let time: any TimeSource
    let logger: Logger
    let report: StateReport?
    /// What runs want sent: few want anything, so one lock serves them all.
    let drafts = Locked([ObjectIdentifier: JobScope.Draft]())

    package init(
        rules: CanvasRules, time: any TimeSource, logger: Logger, report: StateReport? = nil
    ) {
        self.rules = rules
        self.time = time
        self.logger = logger
        self.report = report
    }
}
