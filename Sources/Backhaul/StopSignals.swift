import Foundation
import Logging
import UnixSignals

/// TERM and INT, the signals that ask a process to stop.
enum StopSignals {
    /// Returns when the first one comes, or when the task is cancelled.
    static func first(logger: Logger) async {
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            logger.notice("told to stop", metadata: ["signal": "\(signal)"])
            return
        }
    }

    /// Calls `handle` with 1 for the first one, 2 for the second, until the task is cancelled.
    static func each(logger: Logger, _ handle: (Int) -> Void) async {
        var count = 0
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            count += 1
            logger.notice("told to stop", metadata: ["signal": "\(signal)"])
            handle(count)
        }
    }
}
