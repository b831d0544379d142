/// Whether a worker is wedged while its server is not.
///
/// A worker that fetches nothing proves nothing: the server may be away, or the whole process may
/// have been suspended. So the time counted is what the watchdog itself was awake for, and the
/// server must have answered fresh connections for a while: longer than a healthy worker needs to
/// find it again.
struct StallJudge: Sendable {
    /// How long the server must have been answering; half the limit where that is less.
    static let confirmation = Duration.seconds(15)

    private let limit: Duration
    /// The longest step that counts: what lies beyond it, the process slept through.
    private let longestStep: Duration
    private let confirmation: Duration
    /// Time without a fetch that was watched.
    private var watched = Duration.zero
    /// Time over which the server answered without a break; nil when it does not.
    private var answering: Duration?
    private var step = Duration.zero

    init(limit: Duration, interval: Duration) {
        self.limit = limit
        longestStep = interval * 2
        confirmation = min(Self.confirmation, limit / 2)
    }

    /// Notes how things stand; returns whether the server should be asked.
    ///
    /// `age` is that of the last fetch, nil while none is wanted; `gap` is the time since the last
    /// call.
    mutating func isSuspicious(age: Duration?, after gap: Duration) -> Bool {
        step = min(gap, longestStep)
        watched = min(watched + step, age ?? .zero)
        guard watched >= limit - confirmation else {
            answering = nil
            return false
        }
        return true
    }

    /// Notes whether the server answered; returns whether the worker is wedged.
    mutating func isStalled(serverAnswers: Bool) -> Bool {
        guard serverAnswers else {
            answering = nil
            return false
        }
        let soFar = answering.map { $0 + step } ?? .zero
        answering = soFar
        return watched >= limit && soFar >= confirmation
    }
}
