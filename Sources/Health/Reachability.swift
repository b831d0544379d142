import Mailbox
import NIOCore

/// A server whose answer `/health` asks for.
package struct Dependency: Sendable {
    /// What the answer calls it when it is gone: `redis`, `postgresql`.
    package let name: String
    /// Asks once and returns, or throws; cancelled after ``Reachability/limit``.
    let ask: @Sendable () async throws -> Void

    package init(_ name: String, ask: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.ask = ask
    }
}

/// Asks the servers, for all who want to know at once.
///
/// At most one question to each server is under way, whatever the number of requests, and its
/// answer serves for a moment, so that `/health` cannot be used to hammer a database. Whoever asks
/// gets an answer within ``limit``, counted by the event loop: job code that blocks every thread of
/// the cooperative pool delays the question, not the verdict.
final class Reachability: Sendable {
    /// How long a server may take before it counts as gone; below the second that is promised.
    static let limit = TimeAmount.milliseconds(700)
    /// How long a verdict is repeated without asking again.
    static let keptFor = TimeAmount.milliseconds(500)

    /// The names of the servers that did not answer.
    struct Verdict: Sendable, Equatable {
        let gone: [String]
    }

    private struct Round: Sendable {
        let number: Int
        var pending: Set<Int>
        var failed: Set<Int> = []
        var waiting: [EventLoopPromise<Verdict>]
    }

    private struct State: Sendable {
        /// Since when a server is being asked, by index.
        var asked: [Int: NIODeadline] = [:]
        var round: Round?
        var rounds = 0
        var kept: (verdict: Verdict, until: NIODeadline)?
    }

    private enum Step: Sendable {
        case known(Verdict)
        case joined
        case begun(number: Int, questions: [Int])
    }

    private let dependencies: [Dependency]
    private let clock: any Clock<Duration>
    private let questions: [(stream: AsyncStream<Void>, sender: AsyncStream<Void>.Continuation)]
    private let state = Locked(State())

    init(_ dependencies: [Dependency], clock: any Clock<Duration>) {
        self.dependencies = dependencies
        self.clock = clock
        questions = dependencies.map { _ in
            let (stream, sender) = AsyncStream.makeStream(
                of: Void.self, bufferingPolicy: .bufferingNewest(1))
            return (stream, sender)
        }
    }

    /// Which servers are gone, known within ``limit``.
    func verdict(on loop: any EventLoop) -> EventLoopFuture<Verdict> {
        let promise = loop.makePromise(of: Verdict.self)
        let now = loop.now
        let step = state.withLock { state -> Step in
            if let kept = state.kept, now < kept.until { return .known(kept.verdict) }
            if state.round != nil {
                state.round?.waiting.append(promise)
                return .joined
            }
            return begin(&state, promise, at: now)
        }
        switch step {
        case .known(let verdict): promise.succeed(verdict)
        case .joined: break
        case .begun(let number, let wanted):
            for index in wanted { questions[index].sender.yield() }
            loop.scheduleTask(in: Self.limit) { self.end(number, at: loop.now) }
            concludeIfDone(at: now)
        }
        return promise.futureResult
    }

    /// Asks one server whenever somebody wants to know, until cancelled.
    func serve(_ index: Int) async {
        for await _ in questions[index].stream {
            let isThere = await answers(dependencies[index])
            state.withLock { state in
                state.asked[index] = nil
                guard state.round?.pending.remove(index) != nil else { return }
                if !isThere { state.round?.failed.insert(index) }
            }
            concludeIfDone(at: .now())
        }
    }

    var indices: Range<Int> { dependencies.indices }

    private func begin(
        _ state: inout State, _ promise: EventLoopPromise<Verdict>, at now: NIODeadline
    ) -> Step {
        state.rounds += 1
        var round = Round(number: state.rounds, pending: [], waiting: [promise])
        var wanted: [Int] = []
        for index in dependencies.indices {
            guard let since = state.asked[index] else {
                state.asked[index] = now
                wanted.append(index)
                round.pending.insert(index)
                continue
            }
            // Still no answer to an earlier question, and a second one would not help.
            if now - since >= Self.limit {
                round.failed.insert(index)
            } else {
                round.pending.insert(index)
            }
        }
        state.round = round
        return .begun(number: round.number, questions: wanted)
    }

    /// Ends a round in time: who has not answered is gone.
    private func end(_ number: Int, at now: NIODeadline) {
        state.withLock { state in
            guard let round = state.round, round.number == number else { return }
            state.round?.failed.formUnion(round.pending)
            state.round?.pending = []
        }
        concludeIfDone(at: now)
    }

    private func concludeIfDone(at now: NIODeadline) {
        let told = state.withLock { state -> (Verdict, [EventLoopPromise<Verdict>])? in
            guard let round = state.round, round.pending.isEmpty else { return nil }
            state.round = nil
            let verdict = Verdict(gone: round.failed.sorted().map { dependencies[$0].name })
            state.kept = (verdict, now + Self.keptFor)
            return (verdict, round.waiting)
        }
        guard let told else { return }
        for promise in told.1 { promise.succeed(told.0) }
    }

    private func answers(_ dependency: Dependency) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { (try? await dependency.ask()) != nil }
            group.addTask { [clock] in
                try? await clock.sleep(for: .nanoseconds(Self.limit.nanoseconds))
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }
}
