import ArgumentParser
import Broker
import Foundation

/// `backhaul delayed`: jobs that wait for their time.
struct DelayedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delayed",
        abstract: "Look at jobs that wait for their time; cancel them, move them, run them now.",
        discussion: """
            A job waits here when it was sent for later, or is to be tried again. Each
            change is one step in Redis that asks whether the job still waits, so workers
            may go on meanwhile: a job runs once or is cancelled, never both.

            Examples:
              backhaul delayed ls --due-before 2h
              backhaul delayed show ID
              backhaul delayed reschedule ID --to 2026-12-01T06:00:00Z
              backhaul delayed run --job reports.render --dry-run
              backhaul delayed cancel --job mail.send --queue mail --yes

            Exit codes: 0 done; 1 not, or only in part, and the last line says what to do;
            64 wrong usage; 78 wrong settings.
            """,
        subcommands: [
            DelayedList.self, DelayedShow.self, DelayedCancel.self, DelayedReschedule.self,
            DelayedRun.self,
        ])

    /// What an operator does who does not find a job.
    static let listAdvice =
        "`backhaul delayed ls` shows what waits; a job that runs, or waits in its queue, is ended "
        + "by `backhaul job cancel`"
}
