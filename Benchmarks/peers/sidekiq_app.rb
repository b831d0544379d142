# frozen_string_literal: true

# Sidekiq: one job that does nothing. How many ran, it counts itself (`stat:processed`).
#
#   ruby sidekiq_app.rb          sends it once, to be captured
require "sidekiq"

url = ENV.fetch("BENCH_REDIS_URL")
Sidekiq.configure_server { |config| config.redis = { url: url, driver: :hiredis } }
Sidekiq.configure_client { |config| config.redis = { url: url, driver: :hiredis } }
Sidekiq.logger.level = Logger::WARN
Redis.silence_deprecations = true # of its own calls

class Noop
  include Sidekiq::Worker
  sidekiq_options queue: "bench"

  def perform; end
end

Noop.perform_async if $PROGRAM_NAME == __FILE__
