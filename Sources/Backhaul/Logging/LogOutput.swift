import Foundation
import Mailbox

/// Where log lines go: one write(2) each, under a lock, so that lines never mix.
///
/// A line that cannot be written is dropped and counted: a full disk must not stop jobs.
final class LogOutput: Sendable {
    private struct State {
        let handle: FileHandle
        var dropped = 0
    }

    private let state: Locked<State>

    /// The process's standard error.
    static let standardError = LogOutput(.standardError)

    /// Writes to `handle`, which nothing else may use from now on.
    init(_ handle: sending FileHandle) {
        state = Locked(State(handle: handle))
    }

    /// Writes one whole line; callable from any thread.
    func write(_ line: [UInt8]) {
        state.withLock { state in
            do { try state.handle.write(contentsOf: Data(line)) } catch { state.dropped += 1 }
        }
    }

    /// How many lines could not be written.
    var dropped: Int { state.withLock { $0.dropped } }
}
