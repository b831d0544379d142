import JobModel
import Mailbox
package import ProcessControl

/// Tells systemd how a service is: ready, its status, and that it makes progress.
///
/// Without a manager that listens it does nothing. Source: sd_notify(3).
package final class ProgressNotice: Sendable {
    /// The shortest time between two statuses.
    package static let statusInterval = Duration.seconds(1)

    private struct State {
        var isReadySent = false
        var isStopping = false
        var status = ""
        var statusAt: Duration?
    }

    private let socket: NotifySocket?
    private let state = Locked(State())

    package init(_ socket: NotifySocket?) { self.socket = socket }

    /// How often ``tell(isReady:status:isProgressing:now:)`` should be called: once a second, or
    /// twice within the watchdog's period if that is more often.
    package var interval: Duration {
        guard let period = socket?.watchdog else { return Self.statusInterval }
        return min(Self.statusInterval, period / 2)
    }

    /// Says what is new: readiness once, a changed status once a second at most and with it, and a sign of life
    /// each time while there is progress.
    package func tell(isReady: Bool, status: String, isProgressing: Bool, now: Duration) {
        guard let socket else { return }
        let fields = state.withLock { state in
            var fields: [String] = []
            let isNews = isReady && !state.isReadySent && !state.isStopping
            if isNews {
                state.isReadySent = true
                fields.append("READY=1")
            }
            let isDue = state.statusAt.map { now - $0 >= Self.statusInterval } ?? true
            if status != state.status, isDue || isNews {
                state.status = status
                state.statusAt = now
                fields.append("STATUS=\(status)")
            }
            if isProgressing, socket.watchdog != nil { fields.append("WATCHDOG=1") }
            return fields
        }
        if !fields.isEmpty { socket.send(fields) }
    }

    /// Says that the service ends.
    package func stopping() {
        state.withLock { $0.isStopping = true }
        socket?.send(["STOPPING=1"])
    }

    /// Says that the service starts anew, until it is ready again.
    package func reloading() {
        state.withLock { $0.isReadySent = false }
        socket?.send(NotifySocket.reloading)
    }
}
