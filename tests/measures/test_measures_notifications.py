import pandas as pd

from cloudxai_analysis.measures import notifications

TIME = "datetime64[us, UTC]"


def moment(text):
    return pd.NaT if pd.isna(text) else pd.Timestamp(f"2026-11-11 {text}", tz="UTC")


def times(texts):
    return pd.Series(pd.to_datetime([moment(text) for text in texts], utc=True)).astype(TIME)


def episodes(*rows):
    """One row per (fired_at, resolved_at, alertname, tenant, instance)."""
    rows = [(*row, *("A", "acme", "")[len(row) - 2 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["fired_at", "resolved_at", "alertname", "tenant", "instance"])
    frame["fired_at"], frame["resolved_at"] = times(frame["fired_at"]), times(frame["resolved_at"])
    frame = frame.assign(severity="page", episode=range(1, len(frame) + 1))
    return frame.astype({"alertname": "str", "tenant": "str", "instance": "str"})


def messages(*rows):
    """One row per (starts_at, sent_at, status, alertname, tenant, receiver)."""
    rows = [(*row, *("firing", "A", "acme", "pager")[len(row) - 2 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["starts_at", "sent_at", "status", "alertname", "tenant", "receiver"])
    frame["starts_at"], frame["sent_at"] = times(frame["starts_at"]), times(frame["sent_at"])
    return frame.assign(severity="page", instance="", ends_at=times([None] * len(frame)))


def told(fired, sent):
    frame = notifications.fired_and_sent(fired, sent)
    return frame[["episode", "messages", "receivers", "delay_seconds"]].astype(object).values.tolist()


def test_fired_against_sent_by_hand():
    fired = episodes(("10:00", "10:30"), ("12:00", "12:05"), ("14:00", "14:05"))
    sent = messages(
        *(("10:00", "10:00:30"), ("10:00", "10:05:30", "firing", "A", "acme", "mail")),
        *(("10:00", "10:31", "resolved"), ("14:00", "14:02")),
    )
    frame = notifications.fired_and_sent(fired, sent)
    assert frame["messages"].tolist() == [2, 0, 1]
    assert frame["receivers"].tolist() == ["mail, pager", "", "pager"]
    assert frame["sent_at"].tolist()[0] == moment("10:00:30")
    assert frame["resolved_sent_at"].tolist()[0] == moment("10:31")
    assert frame["resolved_sent_at"].isna().tolist() == [False, True, True]
    by_rule = notifications.notification_delays(frame)
    # After 30 and 120 seconds: median 75; 90 % of the way between them 111.
    assert by_rule.values.tolist() == [["A", 3, 2, 1, 75.0, 111.0]]
    assert notifications.sent_without_episode(fired, sent).empty


def test_a_message_of_another_alert_or_time_tells_of_none():
    fired = episodes(("10:00", "10:30"))
    sent = messages(
        *(("10:00", "10:01", "firing", "B"), ("10:00", "10:01", "firing", "A", "other")),
        *(("10:33", "10:34"), ("09:57", "09:58"), (None, "10:01")),
    )
    assert told(fired, sent)[0][:2] == [1, 0]
    assert len(notifications.sent_without_episode(fired, sent)) == 5
    # Two minutes to either side are the evaluations that Alertmanager learns of late.
    near = messages(("09:58", "10:01"), ("10:32", "10:33"))
    assert told(fired, near)[0][1] == 2


def test_of_two_episodes_the_one_that_had_fired_by_then():
    fired = episodes(("10:00", "10:05"), ("10:10", "10:15"), ("10:00", "10:30", "A", "other"))
    sent = messages(("10:00", "10:01"), ("10:10", "10:12"))
    frame = notifications.fired_and_sent(fired, sent)
    assert frame["messages"].tolist() == [1, 1, 0]
    assert frame["delay_seconds"].tolist()[:2] == [60.0, 120.0]


def test_messages_without_a_time_tell_without_a_delay():
    frame = notifications.fired_and_sent(episodes(("10:00", "10:05")), messages(("10:00", None)))
    assert frame["messages"].tolist() == [1]
    assert frame["delay_seconds"].isna().all()
    assert notifications.notification_delays(frame)["delay_seconds"].isna().all()


def test_nothing_gives_empty_frames():
    none, sent = episodes(), messages(("10:00", "10:01"))
    assert notifications.fired_and_sent(none, sent).empty
    assert len(notifications.sent_without_episode(none, sent)) == 1
    frame = notifications.fired_and_sent(episodes(("10:00", "10:05")), messages())
    assert frame["messages"].tolist() == [0]
    assert notifications.notification_delays(notifications.fired_and_sent(none, messages())).empty
