import Broker
import JobModel
import Logging
import Telemetry

/// What a worker tells Celery's monitors: that it is there, and what becomes of its jobs.
final class WorkerEvents: Sendable {
    /// What monitors are told of jobs.
    let tasks: TaskEvents
    private let sendsHeartbeats: Bool
    private let version: String
    private let sender: EventSender
    private let broker: any Broker
    private let beat: @Sendable () -> WorkerBeat
    private let timer: any Clock<Duration>

    /// `beat` says how much the worker does and has done.
    init(
        _ tasks: TaskEvents, options: WorkerOptions, broker: any Broker, presence: WorkerPresence,
        timer: any Clock<Duration> = ContinuousClock(), logger: Logger,
        beat: @escaping @Sendable () -> WorkerBeat
    ) {
        self.tasks = tasks
        sendsHeartbeats = options.events.sendsHeartbeats
        version = presence.version
        self.beat = beat
        self.timer = timer
        self.broker = broker
        sender = EventSender(
            buffer: tasks.buffer, channel: broker.eventChannel(),
            node: EventNode(name: options.nodeName, processID: presence.processID), clock: timer,
            logger: logger)
    }

    /// Says that the worker is there, and sends what is told, until closed.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            if sendsHeartbeats {
                group.addTask { await self.beatOnAndOn() }
                group.addTask {
                    let inbox = self.broker.electionInbox()
                    await ElectionVoter(inbox: inbox, tasks: self.tasks, timer: self.timer).run()
                }
            }
            await sender.run()
            group.cancelAll()
        }
    }

    /// Says that the worker is over, and lets `run()` end.
    func close() {
        if sendsHeartbeats { tasks.add(.workerOffline(present)) }
        tasks.buffer.close()
    }

    /// Sends a heartbeat now, as somebody asked for it.
    func beatNow() {
        // What cannot be sent at once is not worth sending later.
        guard !sender.isAway else { return }
        tasks.add(.workerHeartbeat(present))
    }

    private var present: WorkerBeat {
        var present = beat()
        present.load = LoadAverage.now
        present.version = version
        return present
    }

    private func beatOnAndOn() async {
        tasks.add(.workerOnline(present))
        while (try? await timer.sleep(for: WorkerBeat.interval)) != nil { beatNow() }
    }
}

extension ControlPorts {
    /// The same, with commands that switch and cause the events of a worker.
    func telling(_ events: WorkerEvents) -> ControlPorts {
        var ports = self
        ports.events = events.tasks
        ports.heartbeat = { events.beatNow() }
        return ports
    }
}

/// What an operator decides about events.
package struct EventOptions: Sendable, Equatable {
    /// Whether monitors are told that the worker is there.
    package var sendsHeartbeats = true
    /// Whether monitors are told of jobs from the start.
    package var tellsOfTasks = false

    package init() {}
}
