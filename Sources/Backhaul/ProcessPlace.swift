import Logging
import ProcessControl
import Supervisor

/// Whether this process stands alone or is one of a supervisor's.
enum ProcessPlace: Sendable {
    case alone
    case supervised(number: Int, line: Lifeline)

    /// The variable by which a supervisor tells a process its number.
    static let environmentName = "BACKHAUL_CHILD"

    /// What a process ends with that its supervisor is to start anew: EX_TEMPFAIL of sysexits(3).
    static let recycleCode = Supervisor.recycleCode

    /// Reads the environment.
    ///
    /// - Throws: `CommandFailure` when it speaks of a supervisor and there is none.
    init(environment: [String: String]) throws {
        guard let text = environment[Self.environmentName] else {
            self = .alone
            return
        }
        guard let number = Int(text), let line = Lifeline(inherited: Lifeline.descriptor) else {
            throw CommandFailure(
                "\(Self.environmentName) is set, and no supervisor started this process",
                advice: "unset it; `backhaul worker --processes N` sets it for its own processes")
        }
        self = .supervised(number: number, line: line)
    }

    /// The program of the supervised process with that number: this one, with its arguments.
    static func image(of number: Int, environment: [String: String]) -> ProcessImage {
        var environment = environment
        environment[environmentName] = "\(number)"
        // systemd hears of the service from its main process alone.
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { environment[name] = nil }
        return .current(environment: environment)
    }

    var number: Int? {
        if case .supervised(let number, _) = self { return number }
        return nil
    }

    var isSupervised: Bool { number != nil }

    var line: Lifeline {
        switch self {
        case .alone: Lifeline()
        case .supervised(_, let line): line
        }
    }

    /// What to do when jobs that were given up block every thread: nothing here can run any more, so
    /// the process ends as it stands and is started anew; what it held comes back as a dead worker's.
    func endWhenStuck(
        environment: [String: String], logger: Logger
    ) -> @Sendable () -> Void {
        let isSupervised = isSupervised
        return {
            logger.critical("jobs that were given up block every thread; ending the process")
            if !isSupervised {
                let image = ProcessImage.current(environment: environment)
                _ = image.replaceThisProcess(blocking: ServiceSignals.all)
            }
            ProcessImage.endThisProcess(code: Self.recycleCode)
        }
    }
}
