import ArgumentParser

/// The command line: one executable, one vocabulary, one configuration.
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backhaul",
        abstract: "Runs Celery jobs: a worker, a scheduler, and the tools to look after them.",
        discussion: """
            Settings come from flags, then the environment, then a file, then defaults;
            `backhaul settings` shows what is in force. Exit codes: 0 done, 1 failed,
            64 wrong usage, 78 wrong settings.

            Start here:
              backhaul doctor              is everything in place?
              backhaul migrate up          prepare the database
              backhaul settings            what is set, and where
            """,
        version: VersionCommand.version,
        subcommands: [
            WorkerCommand.self, SchedulerCommand.self, ScheduleCommand.self, RelayCommand.self,
            EnqueueCommand.self, JobCommand.self, DelayedCommand.self, QuarantineCommand.self,
            DeadCommand.self, ChordCommand.self, OutboxCommand.self, InboxCommand.self,
            DoctorCommand.self,
            MigrateCommand.self,
            SettingsCommand.self, VersionCommand.self,
        ])
}
