"""Which members of jobs and transitions the tables show."""

from __future__ import annotations

JOBS = {
    "Job": "jobId",
    "Name": "name",
    "State": "currentState",
    "Created": "createdTime",
    "Updated": "updatedTime",
    "Message": "friendlyStatusMessage",
}
JOB = {
    "Job": "jobId",
    "Name": "name",
    "Alias": "alias",
    "State": "currentState",
    "Host": "processingHost",
    "Worker": "workerProcessId",
    "Restart policy": "restartPolicy",
    "Created": "createdTime",
    "Updated": "updatedTime",
    "Message": "statusMessage",
    "Waiting for": "waitingFor",
    "Client data": "clientData",
}
HISTORY = {
    "#": "sequence",
    "Time": "timeStamp",
    "Trigger": "trigger.type",
    "Asked for": "trigger.requestedProcState",
    "Reached": "currentProcState",
    "Samples": "streamPosition.samples",
    "Late ms": "latenessMs",
    "Actor": "actor",
    "Info": "info",
    "Transition": "transitionId",
}
TRANSITIONS = {
    "Transition": "transitionId",
    "Status": "status",
    "Trigger": "trigger.type",
    "Asked for": "trigger.requestedProcState",
    "Due": "dueTime",
    "Passed": "timeStamp",
    "Reached": "currentProcState",
}
OUTPUTS = {
    "Graph": "graph",
    "Kind": "kind",
    "Path": "path",
    "URL": "url",
    "Started": "startTime",
    "From sample": "startPosition",
    "Samples": "samples",
    "Complete": "closed",
}
PLAN = {
    "#": "index",
    "When": "when",
    "Stream ms": "streamTimeMs",
    "Trigger": "trigger.type",
    "Asked for": "trigger.requestedProcState",
    "Reaches": "currentProcState",
    "Remark": "reason",
}
